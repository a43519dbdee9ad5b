// T5's tokenizer beyond the common texts: special tokens and hostile files.
// Expected values: tests/reference/tokenizers/make_t5.py.
#include "moft/tokenizers/sentence_piece.h"

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/random.h"
#include "moft/tokenizers/hf_tokenizer.h"
#include "moft/tokenizers/spiece_file.h"

#include "tests/tokenizers/support.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using testing::fixtures;
using testing::Json;
using testing::read_json;

void expect_sentinels(const Tokenizer& tokenizer, const std::string& name) {
  const Json rows = read_json(fixtures() / name / "sentinels.json");
  ASSERT_GE(rows.size(), 40U);
  for (const Json& row : rows) {
    if (row.contains("text")) {
      const std::string text = row["text"];
      EXPECT_EQ(Json(tokenizer.encode(text)), row["ids"]) << text;
      EXPECT_EQ(
          Json(tokenizer.encode(text, {.parse_special = false})), row["plain"])
          << text;
      continue;
    }
    const std::vector<TokenId> ids = row["decode"];
    EXPECT_EQ(tokenizer.decode(ids, false), row["kept"]) << row["decode"];
    EXPECT_EQ(tokenizer.decode(ids, true), row["skipped"]) << row["decode"];
  }
}

TEST(SentencePiece, SpecialTokensEqualTransformers) {
  for (const char* name : {"t5", "t5_config"}) {
    expect_sentinels(*load_tokenizer(fixtures() / name), name);
  }
}

TEST(SentencePiece, RealSpecialTokensEqualTransformers) {
  const char* folder = std::getenv("MOFT_TOKENIZER_DIR");
  if (folder == nullptr || !fs::exists(fs::path(folder) / "t5")) {
    GTEST_SKIP() << "no folder t5 in $MOFT_TOKENIZER_DIR";
  }
  const auto tokenizer = load_tokenizer(fs::path(folder) / "t5");
  expect_sentinels(*tokenizer, "real_t5");
  EXPECT_EQ(tokenizer->vocab_size(), 32100);
  EXPECT_EQ(tokenizer->find("<extra_id_0>"), 32099);
  EXPECT_EQ(tokenizer->find("<extra_id_99>"), 32000);
}

TEST(SentencePiece, SaysWhatItsFileSays) {
  const auto tokenizer = load_tokenizer(fixtures() / "t5");
  EXPECT_EQ(tokenizer->eos(), 1);
  EXPECT_EQ(tokenizer->prompt_end(), 1);
  EXPECT_EQ(tokenizer->bos(), std::nullopt);
  EXPECT_EQ(tokenizer->find("</s>"), 1);
  EXPECT_TRUE(tokenizer->is_special(1));
  EXPECT_FALSE(tokenizer->is_special(5));
  const auto end = tokenizer->vocab_size() - 1;
  EXPECT_EQ(tokenizer->token_bytes(static_cast<TokenId>(end)), "<extra_id_0>");
  EXPECT_EQ(tokenizer->token_bytes(static_cast<TokenId>(end) + 1), "");
  EXPECT_EQ(tokenizer->token_bytes(-1), "");
  // What streaming joins is the text with its word boundaries.
  std::string joined;
  const std::string text = "The quick brown fox";
  for (const TokenId id : tokenizer->encode(text, {.add_special = false}))
    joined += tokenizer->token_bytes(id);
  EXPECT_EQ(joined, " " + text);
}

// -- Files -------------------------------------------------------------------

class SpieceFiles : public ::testing::Test {
 protected:
  SpieceFiles() {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(::testing::TempDir()) /
              ("spiece_" + std::string(info->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~SpieceFiles() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  // What the loader says about these files; "loaded" when it takes them.
  std::string answer() const {
    try {
      load_tokenizer(folder_)->encode("some words, \u00e9\u0301 \uff21\ufb01");
    } catch (const CallerError& error) {
      return error.what();
    }
    return "loaded";
  }

  std::string answer_to(const std::string& spiece) const {
    write("spiece.model", spiece);
    return answer();
  }

  void expect_words(
      const std::string& message, const std::vector<std::string>& words) const {
    for (const std::string& word : words) {
      EXPECT_NE(message.find(word), std::string::npos) << message;
    }
  }

  std::string good_ = read_text(fixtures() / "t5/spiece.model");
  fs::path folder_;
};

// A length-delimited field of a protocol buffer, shorter than 128 bytes.
std::string field(int number, const std::string& bytes) {
  return std::string{static_cast<char>(number << 3 | 2)} +
         static_cast<char>(bytes.size()) + bytes;
}

std::string varint_field(int number, int value) {
  return {static_cast<char>(number << 3), static_cast<char>(value)};
}

TEST_F(SpieceFiles, WhatIsNoModelIsRefusedInOneSentence) {
  EXPECT_EQ(answer_to(good_), "loaded");
  for (const std::string text :
       {"", "{}", "\x0a\x7f", "\xff\xff\xff", "text"}) {
    expect_words(answer_to(text), {"spiece.model: ", "take the spiece.model"});
  }
  for (std::size_t size = 0; size < good_.size(); size += 13) {
    const std::string message = answer_to(good_.substr(0, size));
    expect_words(message, {"spiece.model"});
  }
}

TEST_F(SpieceFiles, OtherModelsAreNamed) {
  const std::string unknown = field(1, field(1, "?") + varint_field(3, 2));
  const auto with = [&](const std::string& more) {
    return answer_to(good_ + more);
  };
  expect_words(with(field(2, varint_field(3, 2))), {"unigram"});
  expect_words(with(field(2, {'\xc0', '\x01', '\x01'})), {"behind words"});
  expect_words(with(field(3, varint_field(5, 0))), {"U+2581"});
  expect_words(with(unknown), {"exactly one unknown"});
  expect_words(with(field(1, field(1, "x") + varint_field(3, 6))), {"bytes"});
  expect_words(
      with(field(1, field(1, "x") + varint_field(3, 7))), {"no known kind"});
  expect_words(with(field(1, field(1, ""))), {"empty"});
  expect_words(with(field(1, field(1, "\xff"))), {"no text"});
  expect_words(with(field(1, field(1, std::string("a\0b", 3)))), {"no text"});
  expect_words(
      with(field(1, field(1, "x") + std::string("\x15\x00\x00\xc0\x7f", 5))),
      {"not finite"});
  // The library's own check: a piece twice.
  expect_words(with(field(1, field(1, "</s>"))), {"</s>"});
}

// The normaliser's trie: a unit that leads out of the table, a value that is
// no replacement's beginning.
TEST_F(SpieceFiles, ATrieThatLeadsOutIsRefused) {
  const auto map_of = [](std::uint32_t root, std::uint32_t leaf) {
    std::vector<std::uint32_t> units(512, 0x80000000);
    units[0] = root;
    units[256 | 'a'] = 'a' | 1 << 8 | 1 << 10;  // to 256 | ('a' ^ 1)
    units[256 | ('a' ^ 1)] = 0x80000000 | leaf;
    std::string bytes("\x00\x08\x00\x00", 4);
    bytes.append(reinterpret_cast<const char*>(units.data()), 2048);
    return bytes + std::string("b\0c\0", 4);
  };
  const auto with = [&](const std::string& map) {
    // Field 3 with field 2 inside; both lengths take two bytes.
    const auto sized = [](char key, const std::string& bytes) {
      return std::string{key} +
             static_cast<char>(0x80 | (bytes.size() & 0x7f)) +
             static_cast<char>(bytes.size() >> 7) + bytes;
    };
    return answer_to(good_ + sized('\x1a', sized('\x12', map)));
  };
  const std::uint32_t to_256 = 256U << 10;
  EXPECT_EQ(with(map_of(to_256, 0)), "loaded");
  EXPECT_EQ(with(map_of(to_256, 2)), "loaded");
  expect_words(with(map_of(512U << 10, 0)), {"table of characters"});
  expect_words(with(map_of(0x7ffffcffU & ~0x200U, 0)), {"table of characters"});
  expect_words(with(map_of(to_256, 1)), {"table of characters"});
  expect_words(with(map_of(to_256, 4)), {"table of characters"});
  expect_words(with(map_of(to_256, 0x7fffffff)), {"table of characters"});
  expect_words(with(std::string("\x00\x08", 2)), {"table of characters"});
}

// Any byte changed: either it is still a model, or one sentence says no.
TEST_F(SpieceFiles, ChangedBytesNeverCrash) {
  RandomStream stream(3, Purpose::kTest, 1, 1);
  std::size_t loaded = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = good_;
    const int changes = 1 + i % 3;
    for (int k = 0; k < changes; ++k) {
      const auto at = static_cast<std::size_t>(
          stream.uniform() * static_cast<double>(bytes.size()));
      bytes[at] = static_cast<char>(stream.uniform() * 256);
    }
    const std::string message = answer_to(bytes);
    if (message == "loaded") {
      ++loaded;
    } else {
      EXPECT_NE(message.find("spiece.model"), std::string::npos) << message;
    }
  }
  EXPECT_GT(loaded, 100U);
  EXPECT_LT(loaded, 2900U);
}

TEST_F(SpieceFiles, ConfigurationsThatMeanAnotherTokenizerAreNamed) {
  write("spiece.model", good_);
  const auto with = [&](const std::string& config) {
    write("tokenizer_config.json", config);
    return answer();
  };
  EXPECT_EQ(with("{}"), "loaded");
  expect_words(with(R"({"legacy": false})"), {"legacy", "false"});
  expect_words(with(R"({"extra_ids": -1})"), {"extra_ids"});
  expect_words(with(R"({"extra_ids": 10001})"), {"extra_ids"});
  expect_words(with(R"({"eos_token": "<end>"})"), {"'<end>'", "pieces"});
  expect_words(
      with(R"({"added_tokens_decoder": {"x": {"content": "y"}}})"),
      {"not a token id"});
  expect_words(
      with(R"({"added_tokens_decoder": {"7": {"content": "</s>"}}})"),
      {"'</s>'", "7", "1"});
  // Another class with its own tokenizer.json.
  expect_words(
      with(R"({"tokenizer_class": "PreTrainedTokenizerFast"})"),
      {"tokenizer.json"});
}

// The other form of T5's tokenizer is what tokenizer.json says.
TEST_F(SpieceFiles, TokenizerJsonServesWhereLegacyIsFalse) {
  write("spiece.model", good_);
  write("tokenizer_config.json", R"({"legacy": false})");
  expect_words(answer(), {"legacy", "false"});
  fs::copy(fixtures() / "t5_json/tokenizer.json", folder_);
  EXPECT_EQ(answer(), "loaded");
}

}  // namespace
}  // namespace moft
