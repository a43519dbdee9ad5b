#include "moft/distributed/handshake.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

const Handshake kOwn = {
    "0.2.0 a1", "r1", {{"base weights m.safetensors", "m1"}, {"data", "d1"}}};

std::string refusal_of(const std::vector<Handshake>& ranks) {
  try {
    check_same(ranks);
  } catch (const CallerError& error) {
    return error.what();
  }
  return "";
}

TEST(Handshake, ReadsWhatItWrote) {
  EXPECT_EQ(read_handshake(write_handshake(kOwn), "rank 1"), kOwn);
  const Handshake odd = {"\"\\\n", "", {{"\t", "\xc3\xa9"}}};
  EXPECT_EQ(read_handshake(write_handshake(odd), "rank 1"), odd);
}

TEST(Handshake, RefusesOtherTexts) {
  for (const char* text :
       {"",
        "[]",
        "{}",
        "7",
        R"({"build": 3})",
        "hello",
        R"({"build": "", "recipe": "", "inputs": {"x": 3}})"})
    EXPECT_THROW(read_handshake(text, "rank 1"), CallerError) << text;
}

TEST(Handshake, EqualRanksPass) {
  EXPECT_EQ(refusal_of({kOwn}), "");
  EXPECT_EQ(refusal_of({kOwn, kOwn, kOwn}), "");
}

TEST(Handshake, NamesTheRankAndWhatDiffers) {
  Handshake other = kOwn;
  other.inputs["data"] = "d2";
  EXPECT_EQ(
      refusal_of({kOwn, kOwn, other}),
      "rank 2: data 'd2' differs from rank 0's 'd1'; give every machine a copy "
      "of the same files");
  other = kOwn;
  other.build = "0.3.0";
  EXPECT_TRUE(refusal_of({kOwn, other}).starts_with("rank 1: program '0.3.0'"));
  other = kOwn;
  other.device = "cuda";
  EXPECT_EQ(
      refusal_of({kOwn, other}),
      "rank 1: device 'cuda' differs from rank 0's ''; give device: cpu, or a "
      "CUDA device to every rank");
  other = kOwn;
  other.recipe = "";
  EXPECT_TRUE(refusal_of({kOwn, other}).starts_with("rank 1: recipe ''"));
  other = kOwn;
  other.inputs.erase("data");
  EXPECT_TRUE(refusal_of({kOwn, other}).starts_with("rank 1: data '' differs"));
  EXPECT_TRUE(
      refusal_of({other, kOwn}).starts_with("rank 1: data 'd1' differs"));
}

}  // namespace
}  // namespace moft
