// Hostile or unsupported tokenizer files, and texts nobody should send.
#include <fstream>
#include <functional>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "moft/core/errors.h"
#include "moft/core/random.h"
#include "moft/tokenizers/gguf_tokenizer.h"
#include "moft/tokenizers/hf_tokenizer.h"

#include "tests/tokenizers/support.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using testing::as_gguf;
using testing::fixtures;
using testing::Json;
using testing::read_json;

class Scratch {
 public:
  Scratch() {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = fs::temp_directory_path() /
            fmt::format("moft_{}_{}", info->name(), ::getpid());
    fs::create_directories(path_);
  }
  ~Scratch() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }

 private:
  fs::path path_;
};

// The message of the CallerError that `call` throws.
std::string complaint(const std::function<void()>& call) {
  try {
    call();
  } catch (const CallerError& error) {
    return error.what();
  }
  return "no complaint";
}

std::string complaint_about(const std::string& text) {
  Scratch scratch;
  scratch.write("tokenizer.json", text);
  return complaint([&] { load_tokenizer(scratch.path()); });
}

std::string complaint_about(const std::function<void(Json&)>& spoil) {
  Json json = read_json(fixtures() / "qwen/tokenizer.json");
  spoil(json);
  return complaint_about(json.dump());
}

::testing::AssertionResult has(
    const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << "'" << part << "' not in: " << text;
}

TEST(BadTokenizerJson, NamesFileAndCure) {
  const std::string missing =
      complaint([] { load_tokenizer("/nowhere/at/all"); });
  EXPECT_TRUE(has(missing, "/nowhere/at/all/tokenizer.json"));
  for (const char* text :
       {"", "{", "[1, 2", "nonsense", "{\"model\": ", "\xff\xfe"}) {
    const std::string message = complaint_about(text);
    EXPECT_TRUE(has(message, "tokenizer.json")) << text;
    EXPECT_TRUE(has(message, "is not valid JSON")) << text;
  }
  for (const char* text : {"null", "7", "[]", "{}", "{\"model\": null}"}) {
    EXPECT_TRUE(has(complaint_about(text), "'model' is missing")) << text;
  }
}

TEST(BadTokenizerJson, DeepNestingIsRefusedNotACrash) {
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  EXPECT_TRUE(
      has(complaint_about(
              "{\"model\": {\"type\": \"BPE\", \"vocab\": " + deep + "}}"),
          "model.vocab"));
}

TEST(BadTokenizerJson, BadIds) {
  const auto spoil_id = [](Json id) {
    return complaint_about(
        [&](Json& json) { json["model"]["vocab"]["spoilt"] = std::move(id); });
  };
  EXPECT_TRUE(has(spoil_id(-1), "is not a token id"));
  EXPECT_TRUE(has(spoil_id(5000000000), "is not a token id"));
  EXPECT_TRUE(has(spoil_id(2147483647), "largest id"));
  EXPECT_TRUE(has(spoil_id(1.5), "is not a token id"));
  EXPECT_TRUE(has(spoil_id("7"), "is not a token id"));
  EXPECT_TRUE(has(spoil_id(10), "id 10 belongs to"));
  EXPECT_TRUE(
      has(complaint_about(
              [](Json& json) { json["model"]["vocab"] = Json::object(); }),
          "the vocabulary is empty"));
}

TEST(BadTokenizerJson, BadAddedTokens) {
  EXPECT_TRUE(has(
      complaint_about([](Json& json) { json["added_tokens"][0]["id"] = 5; }),
      "has the id 0 in the model and 5 in added_tokens"));
  EXPECT_TRUE(
      has(complaint_about([](Json& json) {
            json["added_tokens"].push_back(json["added_tokens"][0]);
            json["added_tokens"].back()["content"] = "new";
          }),
          "'new' has the id 0, but the next id there is"));
  EXPECT_TRUE(
      has(complaint_about(
              [](Json& json) { json["added_tokens"][0]["content"] = ""; }),
          "added token without text"));
}

TEST(BadTokenizerJson, BadMerges) {
  const auto spoil_merge = [](Json merge) {
    return complaint_about(
        [&](Json& json) { json["model"]["merges"][0] = std::move(merge); });
  };
  EXPECT_TRUE(has(spoil_merge("no such"), "not in the vocabulary"));
  EXPECT_TRUE(has(spoil_merge("a b c"), "not a pair"));
  EXPECT_TRUE(has(spoil_merge({"a"}), "not a pair"));
  EXPECT_TRUE(has(spoil_merge({1, 2}), "not a string"));
  EXPECT_TRUE(has(spoil_merge(nullptr), "not a string"));
}

TEST(BadTokenizerJson, UnsupportedPartsAreNamed) {
  const auto spoil = [](const char* pointer, Json value) {
    return complaint_about([&](Json& json) {
      json[Json::json_pointer(pointer)] = std::move(value);
    });
  };
  EXPECT_TRUE(has(spoil("/model/type", "Unigram"), "Unigram's list"));
  EXPECT_TRUE(has(spoil("/model/type", "WordLevel"), "'WordLevel'"));
  EXPECT_TRUE(has(spoil("/model/byte_fallback", true), "byte_fallback"));
  EXPECT_TRUE(has(spoil("/model/dropout", 0.1), "dropout"));
  EXPECT_TRUE(
      has(spoil("/model/end_of_word_suffix", "</w>"), "end_of_word_suffix"));
  EXPECT_TRUE(has(spoil("/normalizer/type", "Nmt"), "'Nmt'"));
  EXPECT_TRUE(
      has(spoil("/pre_tokenizer", {{"type", "Metaspace"}}), "'Metaspace'"));
  EXPECT_TRUE(has(
      spoil("/pre_tokenizer/pretokenizers", Json::array()), "no ByteLevel"));
  EXPECT_TRUE(has(spoil("/decoder/type", "Metaspace"), "ByteLevel decoder"));
  EXPECT_TRUE(
      has(spoil("/post_processor", {{"type", "Odd"}}), "post-processor"));
  const char* regex = "/pre_tokenizer/pretokenizers/0/pattern/Regex";
  EXPECT_TRUE(has(spoil(regex, "(unclosed"), "does not compile"));
  EXPECT_TRUE(has(spoil(regex, "\\w+"), "\\w"));
  EXPECT_TRUE(has(spoil(regex, "[a[b]]"), "class inside a class"));
  EXPECT_TRUE(has(spoil(regex, "abc\\"), "backslash"));
  EXPECT_TRUE(has(spoil(regex, std::string(20000, 'a')), "limit"));
}

TEST(BadTokenizerJson, UnknownEosIsRefused) {
  Scratch scratch;
  fs::copy(fixtures() / "qwen/tokenizer.json", scratch.path());
  scratch.write("tokenizer_config.json", R"({"eos_token": "<nope>"})");
  EXPECT_TRUE(
      has(complaint([&] { load_tokenizer(scratch.path()); }),
          "tokenizer_config.json.eos_token"));
  scratch.write(
      "tokenizer_config.json",
      R"({"bos_token": null, "eos_token": {"content": "<|im_end|>"}})");
  const auto tokenizer = load_tokenizer(scratch.path());
  EXPECT_EQ(tokenizer->eos(), tokenizer->find("<|im_end|>"));
  EXPECT_FALSE(tokenizer->bos());
}

GgufTokenizerData good_gguf() {
  return as_gguf(read_json(fixtures() / "smollm/tokenizer.json"), "smollm");
}

std::string gguf_complaint(
    const std::function<void(GgufTokenizerData&)>& spoil) {
  GgufTokenizerData data = good_gguf();
  spoil(data);
  return complaint([&] { make_tokenizer(data); });
}

TEST(BadGguf, EveryFieldIsChecked) {
  EXPECT_TRUE(has(gguf_complaint([](auto& d) { d.model = "rwkv"; }), "gpt2"));
  const std::string pre =
      gguf_complaint([](auto& d) { d.pre = "deepseek-llm"; });
  for (const char* name :
       {"deepseek-llm",
        "smollm",
        "gpt-2",
        "llama-bpe",
        "qwen2",
        "default",
        "Hugging Face directory"}) {
    EXPECT_TRUE(has(pre, name));
  }
  EXPECT_TRUE(
      has(gguf_complaint([](auto& d) { d.tokens[9] = d.tokens[8]; }),
          "appears twice"));
  EXPECT_TRUE(
      has(gguf_complaint([](auto& d) { d.token_types.pop_back(); }),
          "token types"));
  EXPECT_TRUE(
      has(gguf_complaint([](auto& d) { d.tokens[9] = "\xff"; }), "UTF-8"));
  EXPECT_TRUE(
      has(gguf_complaint([](auto& d) { d.merges[3] = "nospace"; }), "merge 3"));
  EXPECT_TRUE(
      has(gguf_complaint([](auto& d) { d.merges[3] = "q no"; }), "merge 3"));
  EXPECT_TRUE(has(gguf_complaint([](auto& d) { d.eos = 1 << 30; }), "eos is"));
  EXPECT_TRUE(has(gguf_complaint([](auto& d) { d.bos = -1; }), "bos is -1"));
  EXPECT_TRUE(
      has(gguf_complaint([](auto& d) {
            d.tokens.clear();
            d.token_types.clear();
            d.merges.clear();
          }),
          "empty"));
}

TEST(Gguf, AddsBosAndEosWhenTheFileSaysSo) {
  GgufTokenizerData data = good_gguf();
  data.bos = 1;
  data.eos = 2;
  data.add_bos = true;
  data.add_eos = true;
  const auto tokenizer = make_tokenizer(data);
  EXPECT_EQ(tokenizer->encode(""), (std::vector<TokenId>{1, 2}));
  EXPECT_TRUE(tokenizer->encode("", {.add_special = false}).empty());
}

TEST(OddIds, DecodeToNothing) {
  const auto tokenizer = make_tokenizer(good_gguf());
  const TokenId size = static_cast<TokenId>(tokenizer->vocab_size());
  const TokenId letter = *tokenizer->find("a");
  const std::vector<TokenId> ids{-1, letter, size, 2147483647, -2147483647};
  EXPECT_EQ(tokenizer->decode(ids), "a");
  EXPECT_EQ(tokenizer->token_bytes(size), "");
  EXPECT_EQ(tokenizer->token_bytes(-1), "");
  EXPECT_FALSE(tokenizer->is_special(size));
  EXPECT_FALSE(tokenizer->find("no such token"));
}

// Encoding is total: any bytes give ids of the vocabulary, and, where every
// byte has a token and nothing is normalised, give the (fixed) text back.
TEST(AnyBytes, EncodeAndComeBack) {
  for (const char* kind : {"gpt2", "smollm", "llama3", "default", "bert"}) {
    SCOPED_TRACE(kind);
    const auto tokenizer = load_tokenizer(fixtures() / kind);
    const bool bytewise = std::string(kind) != "bert";
    RandomStream random(11, Purpose::kTest);
    for (int round = 0; round < 400; ++round) {
      std::string text;
      const auto length = random.below(60);
      for (std::uint64_t i = 0; i < length; ++i) {
        text.push_back(static_cast<char>(random.below(256)));
      }
      const auto ids = tokenizer->encode(text, {.add_special = false});
      std::string bytes;
      for (const TokenId id : ids) {
        ASSERT_GE(id, 0);
        ASSERT_LT(id, tokenizer->vocab_size());
        bytes += tokenizer->token_bytes(id);
      }
      if (!bytewise) continue;
      const auto again = tokenizer->encode(bytes, {.add_special = false});
      EXPECT_EQ(again, ids);
      EXPECT_EQ(tokenizer->decode(ids, /*skip_special=*/false), bytes);
    }
  }
}

// Four hundred thousand bytes of the kinds that make naive matchers explode.
TEST(LongRuns, StayLinear) {
  const auto qwen = load_tokenizer(fixtures() / "qwen");
  const auto smollm = load_tokenizer(fixtures() / "smollm");
  for (const char* unit : {" ", "\n", "a", "1", "!", "\xcc\x81\xcc\xa3"}) {
    SCOPED_TRACE(unit);
    std::string text;
    while (text.size() < 400000)
      text += unit;
    for (const auto* tokenizer : {qwen.get(), smollm.get()}) {
      const auto ids = tokenizer->encode(text, {.add_special = false});
      EXPECT_EQ(tokenizer->decode(ids).size(), text.size());
    }
  }
}

}  // namespace
}  // namespace moft
