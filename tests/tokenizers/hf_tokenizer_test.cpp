// Ids and texts equal those of Hugging Face `tokenizers`. Expected values:
// tests/reference/tokenizers/make_fixtures.py, make_t5.py and compare_lines.py.
#include "moft/tokenizers/hf_tokenizer.h"

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>

#include <gtest/gtest.h>

#include "moft/checkpoints/gguf.h"
#include "moft/tokenizers/gguf_tokenizer.h"

#include "tests/tokenizers/support.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using testing::as_gguf;
using testing::expect_same_as_hugging_face;
using testing::fixtures;
using testing::Json;
using testing::read_json;

class TinyTokenizer : public ::testing::TestWithParam<const char*> {};

TEST_P(TinyTokenizer, FromTokenizerJsonEqualsHuggingFace) {
  const auto tokenizer = load_tokenizer(fixtures() / GetParam());
  expect_same_as_hugging_face(*tokenizer, GetParam(), /*framed=*/true);
}

INSTANTIATE_TEST_SUITE_P(
    EveryKind,
    TinyTokenizer,
    ::testing::Values(
        "gpt2",
        "smollm",
        "llama3",
        "qwen",
        "default",
        "odd",
        "bert",
        "t5",
        "t5_config",
        "t5_json",
        "spm_legacy",
        "spm_first",
        "spm_always",
        "spm_never",
        "spm_model",
        "spm_added"),
    [](const auto& each) { return std::string(each.param); });

struct GgufKind {
  const char* fixture;
  const char* pre;
};

class TinyGguf : public ::testing::TestWithParam<GgufKind> {};

TEST_P(TinyGguf, FromMetadataEqualsHuggingFace) {
  const auto [fixture, pre] = GetParam();
  const Json json = read_json(fixtures() / fixture / "tokenizer.json");
  const auto tokenizer = make_tokenizer(as_gguf(json, pre));
  expect_same_as_hugging_face(*tokenizer, fixture, /*framed=*/false);
}

INSTANTIATE_TEST_SUITE_P(
    EveryKind,
    TinyGguf,
    ::testing::Values(
        GgufKind{"gpt2", "gpt-2"},
        GgufKind{"smollm", "smollm"},
        GgufKind{"llama3", "llama-bpe"},
        GgufKind{"qwen", "qwen2"},
        GgufKind{"default", "default"}),
    [](const auto& each) { return std::string(each.param.fixture); });

// -- Real tokenizers ---------------------------------------------------------

std::unique_ptr<Tokenizer> load_smollm2() {
  const fs::path path =
      fs::path(MOFT_SOURCE_DIR) / "models/smollm2-135m-instruct.gguf";
  if (!fs::exists(path)) return nullptr;
  return make_tokenizer(GgufFile(path).tokenizer_data());
}

std::unique_ptr<Tokenizer> load_minilm() {
  const fs::path path = fs::path(MOFT_SOURCE_DIR) / "models/all-minilm-l6-v2";
  if (!fs::exists(path / "tokenizer.json")) return nullptr;
  return load_tokenizer(path);
}

// GPT-2's own two files, read through the GGUF door.
std::unique_ptr<Tokenizer> load_gpt2(const fs::path& directory) {
  if (!fs::exists(directory / "encoder.json")) return nullptr;
  Json json;
  json["model"]["vocab"] = read_json(directory / "encoder.json");
  json["model"]["merges"] = Json::array();
  std::ifstream file(directory / "vocab.bpe");
  std::string line;
  std::getline(file, line);  // the version
  while (std::getline(file, line))
    json["model"]["merges"].push_back(line);
  const Json id = json["model"]["vocab"]["<|endoftext|>"];
  json["added_tokens"] = Json::array(
      {{{"content", "<|endoftext|>"}, {"id", id}, {"special", true}}});
  return make_tokenizer(as_gguf(json, "gpt-2"));
}

std::unique_ptr<Tokenizer> load_real(const std::string& name) {
  if (name == "smollm2") return load_smollm2();
  if (name == "minilm") return load_minilm();
  const char* folder = std::getenv("MOFT_TOKENIZER_DIR");
  if (folder == nullptr) return nullptr;
  if (name == "real_gpt2") return load_gpt2(fs::path(folder) / "gpt2");
  if (name == "real_t5") return load_tokenizer(fs::path(folder) / "t5");
  return load_tokenizer(fs::path(folder) / "qwen3");
}

constexpr const char* kHowToGetReal =
    "no such tokenizer here: smollm2 and minilm come with scripts/test under "
    "models/, real_gpt2 (encoder.json, vocab.bpe), real_qwen3 and real_t5 "
    "from the folders gpt2, qwen3 and t5 of $MOFT_TOKENIZER_DIR";

class RealTokenizer : public ::testing::TestWithParam<const char*> {};

TEST_P(RealTokenizer, EqualsHuggingFaceOnTheCases) {
  const auto tokenizer = load_real(GetParam());
  if (!tokenizer) GTEST_SKIP() << kHowToGetReal;
  expect_same_as_hugging_face(*tokenizer, GetParam(), /*framed=*/true);
}

// Lines of $MOFT_DATA_DIR/<name>.jsonl, each {"text": .., "ids": [..]}, written
// by compare_lines.py from a folder of real data.
TEST_P(RealTokenizer, EqualsHuggingFaceOnRealLines) {
  const char* folder = std::getenv("MOFT_DATA_DIR");
  if (folder == nullptr)
    GTEST_SKIP() << "set MOFT_DATA_DIR to a folder made "
                    "by compare_lines.py";
  const auto tokenizer = load_real(GetParam());
  if (!tokenizer) GTEST_SKIP() << kHowToGetReal;
  std::ifstream file(fs::path(folder) / (std::string(GetParam()) + ".jsonl"));
  if (!file) GTEST_SKIP() << "no " << GetParam() << ".jsonl in " << folder;
  std::vector<std::string> texts;
  std::vector<std::vector<TokenId>> wanted;
  std::size_t bytes = 0;
  for (std::string line; std::getline(file, line);) {
    const Json row = Json::parse(line);
    texts.push_back(row["text"]);
    wanted.push_back(row["ids"]);
    bytes += texts.back().size();
  }
  ASSERT_GE(texts.size(), 10000u);
  std::vector<std::vector<TokenId>> found;
  found.reserve(texts.size());
  const std::clock_t begin = std::clock();
  for (const auto& text : texts)
    found.push_back(tokenizer->encode(text));
  const double seconds =
      static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (found[i] == wanted[i]) continue;
    if (++wrong <= 5) ADD_FAILURE() << "line " << i << ": " << texts[i];
  }
  EXPECT_EQ(wrong, 0u);
  const double megabytes = static_cast<double>(bytes) / 1e6;
  std::cout << GetParam() << ": " << texts.size() << " lines, " << wrong
            << " differ, " << megabytes / seconds << " MB per CPU second\n";
}

INSTANTIATE_TEST_SUITE_P(
    Every,
    RealTokenizer,
    ::testing::Values(
        "smollm2", "minilm", "real_gpt2", "real_qwen3", "real_t5"),
    [](const auto& each) { return std::string(each.param); });

TEST(Smollm2, SaysWhatItsFileSays) {
  const auto tokenizer = load_smollm2();
  if (!tokenizer) GTEST_SKIP() << kHowToGetReal;
  EXPECT_EQ(tokenizer->vocab_size(), 49152);
  EXPECT_EQ(tokenizer->bos(), 1);
  EXPECT_EQ(tokenizer->eos(), 2);
  EXPECT_EQ(tokenizer->find("<|im_end|>"), 2);
  EXPECT_TRUE(tokenizer->is_special(2));
  EXPECT_EQ(tokenizer->token_bytes(2), "<|im_end|>");
  // add_bos is false in the file: nothing is added.
  EXPECT_EQ(tokenizer->encode(""), std::vector<TokenId>{});
}

TEST(MiniLm, FramesWithClsAndSep) {
  const auto tokenizer = load_minilm();
  if (!tokenizer) GTEST_SKIP() << kHowToGetReal;
  EXPECT_EQ(tokenizer->encode(""), (std::vector<TokenId>{101, 102}));
  EXPECT_EQ(tokenizer->vocab_size(), 30522);
}

}  // namespace
}  // namespace moft
