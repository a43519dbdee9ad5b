// Answers of programs and servers, as they are read.
#include "moft/rewards/outside/wire.h"

#include <gtest/gtest.h>

namespace moft::test {
namespace {

const SourceOutputs kOnly = {{"", nullptr}};

// What is wrong with the answer, and with which row; -1: none is named.
std::pair<int, std::string> fault_of(const char* text, std::size_t rows) {
  try {
    read_reply(parse_reply(text), kOnly, rows);
  } catch (const RewardRowError& error) {
    return {static_cast<int>(error.row()), error.what()};
  } catch (const std::runtime_error& error) {
    return {-1, error.what()};
  }
  return {-1, ""};
}

TEST(Wire, ReadsOneObjectOrNumberPerRow) {
  const auto values = [](const char* text) {
    return read_reply(parse_reply(text), kOnly, 2).rewards.at("");
  };
  const std::vector<RewardValue> expected = {0.5, std::nullopt};
  EXPECT_EQ(values(R"([{"rewards": [0.5]}, {"reward": null}])"), expected);
  EXPECT_EQ(values("[0.5, null]"), expected);
  EXPECT_EQ(values(R"({"rewards": [0.5, null]})"), expected);
}

// A row's part that holds no reward, or several, is not read as the first.
TEST(Wire, NamesTheRowWhoseAnswerIsNotOneReward) {
  using Fault = std::pair<int, std::string>;
  EXPECT_EQ(
      fault_of(R"([{"rewards": [1]}, {"rewards": []}])", 2),
      Fault(1, "the answer holds 0 rewards for one completion"));
  EXPECT_EQ(
      fault_of(R"([{"rewards": [1]}, {"rewards": [1, 2]}])", 2),
      Fault(1, "the answer holds 2 rewards for one completion"));
  EXPECT_EQ(
      fault_of(R"([{"reward": 1}, {"error": "no judge", "row": 0}])", 2),
      Fault(1, "no judge"));
  EXPECT_EQ(
      fault_of(R"([1, "high"])", 2),
      Fault(
          1, "the answer holds '\"high\"' where a number or null is expected"));
  EXPECT_EQ(
      fault_of(R"([1, 2, "high"])", 2),
      Fault(-1, "the answer holds 3 rewards for 2 completions"));
}

}  // namespace
}  // namespace moft::test
