// SentencePiece for decoders, T5 from tokenizer.json, and the ways in which
// GGUF files cut text. Expected values: tests/reference/tokenizers/make_spm.py.
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "moft/core/errors.h"
#include "moft/core/random.h"
#include "moft/tokenizers/gguf_tokenizer.h"
#include "moft/tokenizers/hf_tokenizer.h"
#include "moft/tokenizers/tokenizer_json.h"

#include "tests/tokenizers/support.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using testing::as_gguf;
using testing::expect_same_as_hugging_face;
using testing::fixtures;
using testing::Json;
using testing::read_json;

class Folder {
 public:
  Folder() {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = fs::temp_directory_path() /
            fmt::format("moft_spm_{}_{}", info->name(), ::getpid());
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  void copy(const std::string& fixture) const {
    fs::copy(fixtures() / fixture, path_);
  }
  // What loading says; "loaded" when it works.
  std::string answer() const {
    try {
      load_tokenizer(path_);
    } catch (const CallerError& error) {
      return error.what();
    }
    return "loaded";
  }

 private:
  fs::path path_;
};

::testing::AssertionResult says(
    const std::string& message, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    if (message.find(part) == std::string::npos) {
      return ::testing::AssertionFailure()
             << "'" << part << "' not in: " << message;
    }
  }
  return ::testing::AssertionSuccess();
}

GgufTokenizerData llama_gguf() {
  GgufTokenizerData data;
  data.model = "llama";
  data.pre = "default";
  for (const Json& piece : read_json(fixtures() / "spm_legacy/pieces.json")) {
    data.tokens.push_back(piece[0]);
    data.scores.push_back(piece[1]);
    data.token_types.push_back(piece[2]);
  }
  data.bos = 1;
  data.eos = 2;
  data.add_bos = true;
  return data;
}

void expect_more(const Tokenizer& tokenizer, const std::string& name) {
  const Json rows = read_json(fixtures() / name / "more.json");
  ASSERT_GE(rows.size(), 14U);
  for (const Json& row : rows) {
    SCOPED_TRACE(name + ": " + row["text"].dump());
    const std::vector<TokenId> ids = row["ids"];
    EXPECT_EQ(tokenizer.encode(row["text"].get<std::string>()), ids);
    EXPECT_EQ(tokenizer.decode(ids, false), row["kept"]);
    EXPECT_EQ(tokenizer.decode(ids, true), row["skipped"]);
  }
}

TEST(Spm, SpecialTokensAndSpacesEqualHuggingFace) {
  for (const char* name :
       {"spm_legacy",
        "spm_first",
        "spm_always",
        "spm_never",
        "spm_model",
        "spm_added"}) {
    expect_more(*load_tokenizer(fixtures() / name), name);
  }
}

TEST(Spm, GgufEqualsTheTokenizerJson) {
  const auto tokenizer = make_tokenizer(llama_gguf());
  expect_same_as_hugging_face(*tokenizer, "spm_legacy", /*framed=*/true);
  expect_more(*tokenizer, "spm_legacy");
}

TEST(Spm, GgufTakesItsUsualIdsWhereItDoesNotSay) {
  GgufTokenizerData data = llama_gguf();
  data.bos.reset();
  data.eos.reset();
  const auto tokenizer = make_tokenizer(data);
  EXPECT_EQ(tokenizer->bos(), 1);
  EXPECT_EQ(tokenizer->eos(), 2);
  expect_more(*tokenizer, "spm_legacy");
}

TEST(Spm, GgufExportIsTheSameTokenizer) {
  for (const bool prefix : {true, false}) {
    GgufTokenizerData data = llama_gguf();
    data.add_space_prefix = prefix;
    const Folder folder;
    for (const auto& [name, text] : tokenizer_files(data))
      folder.write(name, text);
    const auto exported = load_tokenizer(folder.path());
    const auto original = make_tokenizer(data);
    EXPECT_EQ(exported->bos(), original->bos());
    EXPECT_EQ(exported->eos(), original->eos());
    for (const std::string& text : testing::case_texts()) {
      const auto ids = original->encode(text);
      EXPECT_EQ(exported->encode(text), ids) << text;
      EXPECT_EQ(exported->decode(ids), original->decode(ids)) << text;
    }
  }
}

TEST(Spm, SaysWhatItsFileSays) {
  const auto tokenizer = load_tokenizer(fixtures() / "spm_model");
  EXPECT_EQ(tokenizer->bos(), 1);
  EXPECT_EQ(tokenizer->eos(), 2);
  EXPECT_EQ(tokenizer->prompt_end(), std::nullopt);
  EXPECT_TRUE(tokenizer->is_special(1));
  EXPECT_EQ(tokenizer->vocab_size(), 520);
  EXPECT_EQ(tokenizer->encode(""), std::vector<TokenId>{1});
  const auto added = load_tokenizer(fixtures() / "spm_added");
  EXPECT_EQ(added->find("<plus>"), 520);
  EXPECT_EQ(added->vocab_size(), 521);
  EXPECT_EQ(added->encode("<plus>"), (std::vector<TokenId>{1, 520, 2}));
}

// A stretch after a special token that is encoded alone.
TEST(Spm, WhatIsNotAtTheStartGetsNoSpaceWhereTheFileSaysSo) {
  const auto first = load_tokenizer(fixtures() / "spm_first");
  const auto whole = first->encode("<s>hello", {.add_special = false});
  const std::vector<TokenId> tail(whole.begin() + 1, whole.end());
  const EncodeOptions later{.add_special = false, .at_start = false};
  EXPECT_EQ(first->encode("hello", later), tail);
  EXPECT_NE(first->encode("hello", {.add_special = false}), tail);
  const auto legacy = load_tokenizer(fixtures() / "spm_legacy");
  EXPECT_EQ(
      legacy->encode("hello", later),
      legacy->encode("hello", {.add_special = false}));
}

// Bytes that arrive one by one join to the text; alone they are not text.
TEST(Spm, StreamedBytesJoinToTheText) {
  for (const char* name : {"spm_legacy", "spm_first", "spm_model"}) {
    const auto tokenizer = load_tokenizer(fixtures() / name);
    const std::string text = "caf\u00e9 \u65e5\u672c \U0001f600\n";
    std::string joined;
    std::size_t single_bytes = 0;
    for (const TokenId id : tokenizer->encode(text, {.add_special = false})) {
      const std::string bytes = tokenizer->token_bytes(id);
      if (bytes.size() == 1 && (bytes[0] & 0x80) != 0) ++single_bytes;
      joined += bytes;
    }
    EXPECT_EQ(joined, " " + text) << name;
    EXPECT_GE(single_bytes, 4U) << name;
  }
  const auto tokenizer = load_tokenizer(fixtures() / "spm_legacy");
  const TokenId byte = *tokenizer->find("<0xF0>");
  EXPECT_EQ(tokenizer->token_bytes(byte), "\xf0");
  EXPECT_EQ(
      tokenizer->decode(std::vector<TokenId>{byte, byte}), "\ufffd\ufffd");
}

// A template looks for special tokens by their written form.
TEST(Spm, SpecialTokensAreGivenAsWritten) {
  Json json = read_json(fixtures() / "spm_legacy/tokenizer.json");
  const std::string name = "<\uff5cend\u2581of\u2581text\uff5c>";
  json["added_tokens"].push_back(
      {{"id", 520}, {"content", name}, {"special", true}});
  json["added_tokens"][0]["special"] = true;
  const Folder folder;
  folder.write("tokenizer.json", json.dump());
  const auto tokenizer = load_tokenizer(folder.path());
  EXPECT_EQ(tokenizer->encode(name).back(), 520);
  EXPECT_EQ(tokenizer->token_bytes(520), name);
}

// Text never becomes a special token or a byte token by its letters.
TEST(Spm, WrittenSpecialTokensStayText) {
  std::vector<std::unique_ptr<Tokenizer>> all;
  for (const char* name : {"spm_legacy", "spm_model", "t5_json"})
    all.push_back(load_tokenizer(fixtures() / name));
  all.push_back(make_tokenizer(llama_gguf()));
  for (const auto& tokenizer : all) {
    for (const char* text :
         {"<s>", "</s>", "<unk>", "a</s>b", "<extra_id_0>", "\uff1c/s\uff1e"}) {
      const auto ids = tokenizer->encode(
          text, {.parse_special = false, .add_special = false});
      const std::string plain = tokenizer->decode(ids, true);
      for (const TokenId id : ids) {
        if (tokenizer->token_bytes(id) == "<unk>") continue;
        EXPECT_FALSE(tokenizer->is_special(id)) << text << " " << id;
      }
    }
  }
}

TEST(Spm, AnyBytesEncodeAndComeBack) {
  for (const char* name : {"spm_legacy", "spm_model"}) {
    const auto tokenizer = load_tokenizer(fixtures() / name);
    RandomStream random(12, Purpose::kTest);
    for (int round = 0; round < 300; ++round) {
      std::string text;
      const auto length = random.below(40);
      for (std::uint64_t i = 0; i < length; ++i)
        text.push_back(static_cast<char>(random.below(256)));
      const auto ids = tokenizer->encode(
          text, {.parse_special = false, .add_special = false});
      std::string bytes;
      for (const TokenId id : ids)
        bytes += tokenizer->token_bytes(id);
      if (bytes.empty()) continue;
      EXPECT_EQ(
          tokenizer->encode(
              bytes.substr(1), {.parse_special = false, .add_special = false}),
          ids);
    }
  }
}

TEST(T5Json, EqualsTransformersAndEndsPrompts) {
  const auto tokenizer = load_tokenizer(fixtures() / "t5_json");
  expect_more(*tokenizer, "t5_json");
  EXPECT_EQ(tokenizer->eos(), 1);
  EXPECT_EQ(tokenizer->prompt_end(), 1);
  const auto pieces = load_tokenizer(fixtures() / "t5");
  EXPECT_EQ(tokenizer->vocab_size(), pieces->vocab_size());
  EXPECT_EQ(tokenizer->find("<extra_id_0>"), pieces->find("<extra_id_0>"));
}

struct Cut {
  const char* pre;
  const char* fixture;
};

class GgufCuts : public ::testing::TestWithParam<Cut> {};

TEST_P(GgufCuts, EqualHuggingFaceAndSurviveExport) {
  const Json json = read_json(fixtures() / "uncut/tokenizer.json");
  const GgufTokenizerData data = as_gguf(json, GetParam().pre);
  const auto tokenizer = make_tokenizer(data);
  expect_same_as_hugging_face(*tokenizer, GetParam().fixture, /*framed=*/false);
  const Folder folder;
  for (const auto& [name, text] : tokenizer_files(data))
    folder.write(name, text);
  expect_same_as_hugging_face(
      *load_tokenizer(folder.path()), GetParam().fixture, /*framed=*/false);
}

INSTANTIATE_TEST_SUITE_P(
    EveryName,
    GgufCuts,
    ::testing::Values(
        Cut{"deepseek-r1-qwen", "cut_qwen2"},
        Cut{"qwen35", "cut_qwen35"},
        Cut{"llama-v3", "cut_llama3"},
        Cut{"llama3", "cut_llama3"},
        Cut{"llama-bpe", "cut_llama3"},
        Cut{"qwen2", "cut_qwen2"},
        Cut{"tekken", "cut_tekken"},
        Cut{"gpt-4o", "cut_gpt4o"},
        Cut{"llama4", "cut_gpt4o"},
        Cut{"deepseek-coder", "cut_deepseek_coder"},
        Cut{"deepseek-v3", "cut_deepseek_v3"}),
    [](const auto& each) {
      std::string name = each.param.pre;
      for (char& c : name) {
        if (c == '-') c = '_';
      }
      return name;
    });

TEST(SpmRefusals, NameTheFileAndTheCure) {
  const Folder folder;
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
  for (const char* name : {"tokenizer.model", "spiece.model"}) {
    folder.write(name, pointer);
    EXPECT_TRUE(
        says(folder.answer(), {name, "Git LFS pointer", "git lfs pull"}));
    fs::remove(folder.path() / name);
  }
  folder.write("tokenizer.json", pointer);
  EXPECT_TRUE(says(folder.answer(), {"tokenizer.json", "git lfs pull"}));
  folder.write("tokenizer.json", R"({"model": {"type": "BPE", "vocab": {"a)");
  EXPECT_TRUE(says(folder.answer(), {"tokenizer.json", "download it again"}));
  folder.write(
      "tokenizer.json",
      R"({"model": {"type": "WordLevel", "vocab": {"a": 0}}})");
  EXPECT_TRUE(says(folder.answer(), {"'WordLevel'", "BPE, Unigram"}));
  fs::remove(folder.path() / "tokenizer.json");
  folder.write("tokenizer.model", "IQ== 0\nIg== 1\n");
  EXPECT_TRUE(says(folder.answer(), {"tiktoken", "tokenizer.json"}));
  fs::remove(folder.path() / "tokenizer.model");
  folder.write("tekken.json", "{}");
  EXPECT_TRUE(says(folder.answer(), {"tekken.json", "tokenizer.json"}));
  fs::remove(folder.path() / "tekken.json");
  folder.write("vocab.json", "{}");
  EXPECT_TRUE(says(folder.answer(), {"vocab.json", "save_pretrained"}));
}

TEST(SpmRefusals, GgufNamesWhatItCannotRead) {
  GgufTokenizerData data = llama_gguf();
  data.scores.pop_back();
  EXPECT_THROW(make_tokenizer(data), CallerError);
  data = llama_gguf();
  data.scores[300] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(make_tokenizer(data), CallerError);
  // A byte-level vocabulary under the wrong name.
  data = as_gguf(read_json(fixtures() / "qwen/tokenizer.json"), "default");
  data.model = "llama";
  data.scores.assign(data.tokens.size(), 0.0F);
  for (std::int32_t& type : data.token_types)
    type = 1;
  try {
    make_tokenizer(data);
    FAIL() << "taken";
  } catch (const CallerError& error) {
    EXPECT_TRUE(says(error.what(), {"<0x00>", "Hugging Face directory"}));
  }
}

// -- Tokens that one file knows and another does not -------------------------

class AddedTokens : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.copy("gpt2/tokenizer.json");
    size_ = static_cast<TokenId>(load_tokenizer(folder_.path())->vocab_size());
  }
  Folder folder_;
  TokenId size_ = 0;
};

TEST_F(AddedTokens, OnlyInAddedTokensJson) {
  folder_.write("added_tokens.json", fmt::format(R"({{"<call>": {}}})", size_));
  folder_.write(
      "special_tokens_map.json",
      R"({"additional_special_tokens": ["<call>"]})");
  const auto tokenizer = load_tokenizer(folder_.path());
  EXPECT_EQ(tokenizer->encode("<call>"), std::vector<TokenId>{size_});
  EXPECT_TRUE(tokenizer->is_special(size_));
  folder_.write(
      "added_tokens.json", fmt::format(R"({{"<call>": {}}})", size_ + 1));
  EXPECT_TRUE(says(
      folder_.answer(),
      {"added_tokens.json", "'<call>'", std::to_string(size_ + 1)}));
}

TEST_F(AddedTokens, OnlyInTokenizerConfig) {
  folder_.write(
      "tokenizer_config.json",
      fmt::format(
          R"({{"added_tokens_decoder": {{"{}": {{"content": "<call>",
              "special": true, "lstrip": true}}}}}})",
          size_));
  const auto tokenizer = load_tokenizer(folder_.path());
  const auto ids = tokenizer->encode("a  <call>");
  EXPECT_EQ(ids.size(), 2U);
  EXPECT_EQ(ids.back(), size_);
}

// The flags of tokenizer_config.json count, as in transformers.
TEST_F(AddedTokens, FlagsThatDiffer) {
  const TokenId end = *load_tokenizer(folder_.path())->find("<|im_end|>");
  folder_.write(
      "tokenizer_config.json",
      fmt::format(
          R"({{"added_tokens_decoder": {{"{}": {{"content": "<|im_end|>",
              "special": false}}}}}})",
          end));
  const auto tokenizer = load_tokenizer(folder_.path());
  EXPECT_FALSE(tokenizer->is_special(end));
  EXPECT_EQ(
      tokenizer->encode("<|im_end|>", {.parse_special = false}),
      std::vector<TokenId>{end});
}

TEST_F(AddedTokens, NamedTokensAreSpecialAndNewOnesComeLast) {
  folder_.write(
      "tokenizer_config.json",
      R"({"pad_token": "<pad>", "additional_special_tokens": ["the"]})");
  const auto tokenizer = load_tokenizer(folder_.path());
  EXPECT_EQ(tokenizer->find("<pad>"), size_);
  EXPECT_TRUE(tokenizer->is_special(size_));
  EXPECT_TRUE(tokenizer->is_special(*tokenizer->find("the")));
}

TEST_F(AddedTokens, IdsWithAGapAreRefused) {
  Json json = read_json(fixtures() / "gpt2/tokenizer.json");
  json["added_tokens"].push_back(
      {{"id", size_ + 5}, {"content", "<late>"}, {"special", true}});
  folder_.write("tokenizer.json", json.dump());
  EXPECT_TRUE(says(
      folder_.answer(),
      {"'<late>'", std::to_string(size_ + 5), std::to_string(size_)}));
}

}  // namespace
}  // namespace moft
