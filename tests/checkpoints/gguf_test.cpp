// GGUF files: what is read, and what damaged files are refused for.
#include "moft/checkpoints/gguf.h"

#include <chrono>
#include <cstdlib>
#include <map>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/checkpoints/gguf_metadata.h"

#include "tests/checkpoints/support.h"

namespace moft {
namespace {

using test::fixture;
using test::raw;
using test::TemporaryFolder;

std::string text(const std::string& value) {
  return raw<std::uint64_t>(value.size()) + value;
}

// Writes whatever it is told to, lies included.
struct Builder {
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::string values;
  std::string tensors;
  std::uint64_t value_count = 0;
  std::uint64_t tensor_count = 0;
  std::string data = std::string(64, '\0');

  Builder& value(
      const std::string& key, std::uint32_t type, const std::string& bytes) {
    values += text(key) + raw(type) + bytes;
    ++value_count;
    return *this;
  }
  Builder& array(
      const std::string& key,
      std::uint32_t type,
      std::uint64_t count,
      const std::string& bytes) {
    return value(key, 9, raw(type) + raw(count) + bytes);
  }
  // Dimensions innermost first, as in the file.
  Builder& tensor(
      const std::string& name,
      std::vector<std::uint64_t> dimensions,
      std::uint32_t type = 0,
      std::uint64_t offset = 0) {
    tensors += text(name) + raw(static_cast<std::uint32_t>(dimensions.size()));
    for (const auto size : dimensions)
      tensors += raw(size);
    tensors += raw(type) + raw(offset);
    ++tensor_count;
    return *this;
  }
  std::string bytes() const {
    std::string all = magic + raw(version) + raw(tensor_count) +
                      raw(value_count) + values + tensors;
    all.resize((all.size() + 31) / 32 * 32, '\0');
    return all + data;
  }
};

TEST(GgufFile, ReadsMetadataOfEveryType) {
  const GgufFile file(fixture("blocks.gguf"));
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.text("general.architecture"), "llama");
  EXPECT_EQ(file.integer("kind.u8"), 200);
  EXPECT_EQ(file.integer("kind.i8"), -100);
  EXPECT_EQ(file.integer("kind.u16"), 60000);
  EXPECT_EQ(file.integer("kind.i16"), -30000);
  EXPECT_EQ(file.integer("kind.u32"), 4000000000);
  EXPECT_EQ(file.integer("kind.i32"), -2000000000);
  EXPECT_EQ(file.integer("kind.i64"), INT64_MIN);
  EXPECT_EQ(file.number("kind.u64"), 18446744073709551615.0);
  EXPECT_EQ(file.number("kind.f32"), static_cast<double>(0.1f));
  EXPECT_EQ(file.number("kind.f64"), 0.1);
  EXPECT_EQ(file.number("kind.i8"), -100.0);
  EXPECT_TRUE(file.boolean("kind.bool"));
  EXPECT_EQ(file.text("kind.string"), "héllo");
  EXPECT_EQ(
      file.texts("kind.strings"), (std::vector<std::string>{"a", "", "你好"}));
  EXPECT_EQ(file.integers("kind.ints"), (std::vector<std::int64_t>{1, -2, 3}));
  EXPECT_EQ(file.numbers("kind.floats"), (std::vector<double>{0.5, -0.25}));
  EXPECT_EQ(file.metadata().at("kind.bools").count, 2u);
  EXPECT_EQ(file.integer_or("absent", 7), 7);
  EXPECT_EQ(file.number_or("absent", 0.5), 0.5);
  EXPECT_EQ(file.text_or("absent", "x"), "x");
  EXPECT_TRUE(file.boolean_or("absent", true));
}

TEST(GgufFile, AccessorsNameKeyAndType) {
  const GgufFile file(fixture("blocks.gguf"));
  const auto refuses = [&](auto action, std::vector<std::string> words) {
    words.push_back("blocks.gguf");
    test::expect_refusal(action, words);
  };
  refuses([&] { file.integer("absent"); }, {"lacks the key 'absent'"});
  refuses([&] { file.integer("kind.f32"); }, {"kind.f32", "f32", "whole"});
  refuses([&] { file.integer("kind.bool"); }, {"holds bool", "whole"});
  refuses([&] { file.integer("kind.u64"); }, {"18446744073709551615"});
  refuses([&] { file.integer("kind.ints"); }, {"array of i32", "one value"});
  refuses([&] { file.integers("kind.u8"); }, {"holds u8", "array"});
  refuses([&] { file.number("kind.string"); }, {"holds string", "number"});
  refuses([&] { file.boolean("kind.u8"); }, {"holds u8", "bool"});
  refuses([&] { file.text("kind.u8"); }, {"holds u8", "text"});
  refuses([&] { file.texts("kind.ints"); }, {"array of i32", "text"});
  refuses([&] { file.text_or("kind.u8", ""); }, {"holds u8", "text"});
}

TEST(GgufFile, ShapesAreInHuggingFaceOrder) {
  const GgufFile file(fixture("blocks.gguf"));
  EXPECT_EQ(file.names().front(), "Q8_0");
  EXPECT_EQ(file.find("Q8_0")->shape, (std::vector<std::int64_t>{5, 96}));
  EXPECT_EQ(file.find("F32")->shape, (std::vector<std::int64_t>{2, 3, 7}));
  const auto ints = *file.find("I16");
  EXPECT_EQ(ints.type, TensorType::kI16);
  std::int16_t values[7];
  std::memcpy(values, ints.bytes.data(), sizeof(values));
  for (int i = 0; i < 7; ++i)
    EXPECT_EQ(values[i], i - 3);
}

TEST(GgufFile, TokenizerData) {
  const auto data = GgufFile(fixture("blocks.gguf")).tokenizer_data();
  EXPECT_EQ(data.model, "gpt2");
  EXPECT_EQ(data.pre, "smollm");
  EXPECT_EQ(
      data.tokens, (std::vector<std::string>{"<s>", "</s>", "a", "b", "ab"}));
  EXPECT_EQ(data.merges, std::vector<std::string>{"a b"});
  EXPECT_EQ(data.token_types, (std::vector<std::int32_t>{3, 3, 1, 1, 1}));
  EXPECT_EQ(data.bos, 0);
  EXPECT_EQ(data.eos, 1);
  EXPECT_EQ(data.pad, std::nullopt);
  EXPECT_TRUE(data.add_bos);
  EXPECT_FALSE(data.add_eos);
}

TEST(GgufFile, TokenizerDataIsChecked) {
  const TemporaryFolder folder;
  const auto base = [] {
    return Builder()
        .value("tokenizer.ggml.model", 8, text("gpt2"))
        .array("tokenizer.ggml.tokens", 8, 2, text("a") + text("b"));
  };
  const auto refuses = [&](const Builder& b, std::vector<std::string> words) {
    test::put(folder / "x.gguf", b.bytes());
    test::expect_refusal(
        [&] { GgufFile(folder / "x.gguf").tokenizer_data(); }, words);
  };
  refuses(Builder(), {"lacks the key 'tokenizer.ggml.model'"});
  refuses(
      base().value("tokenizer.ggml.eos_token_id", 4, raw(2u)),
      {"eos_token_id is 2", "2 tokens"});
  refuses(
      base().value("tokenizer.ggml.bos_token_id", 5, raw(-1)),
      {"bos_token_id is -1"});
  refuses(
      base().array("tokenizer.ggml.token_type", 5, 1, raw(1)),
      {"token_type has 1 entries for 2 tokens"});
  refuses(
      base().array("tokenizer.ggml.token_type", 5, 2, raw(1) + raw(9)),
      {"token_type holds 9"});
}

TEST(GgufFile, HonestHandmadeFilesAreRead) {
  const TemporaryFolder folder;
  auto builder = Builder()
                     .value("general.alignment", 4, raw(32u))
                     .tensor("a", {8})
                     .tensor("b", {2, 4}, 0, 32);
  for (const std::uint32_t version : {2u, 3u}) {
    builder.version = version;
    test::put(folder / "x.gguf", builder.bytes());
    const GgufFile file(folder / "x.gguf");
    EXPECT_EQ(file.version(), version);
    EXPECT_EQ(file.names(), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(file.find("b")->shape, (std::vector<std::int64_t>{4, 2}));
  }
}

TEST(GgufFile, EveryLieIsNamed) {
  constexpr std::uint64_t huge = 1ull << 62;
  const auto with = [](auto change) {
    Builder builder;
    change(builder);
    return builder;
  };
  const struct {
    Builder builder;
    std::vector<std::string> words;
  } lies[] = {
      {with([](auto& b) { b.magic = "GGML"; }), {"not a GGUF file"}},
      {with([](auto& b) { b.version = 1; }), {"version 1", "2 and 3"}},
      {with([](auto& b) { b.version = 4; }), {"version 4"}},
      {with([](auto& b) { b.version = 0x03000000; }), {"big-endian"}},
      {with([](auto& b) { b.value_count = huge; }), {"claims", "metadata"}},
      {with([](auto& b) { b.tensor_count = huge; }), {"claims", "tensors"}},
      {with([](auto& b) { b.value_count = 2; }), {"metadata key"}},
      {Builder().value("", 0, "x"), {"metadata key has 0 bytes"}},
      {Builder().value("k", 13, "x"), {"'k'", "unknown metadata type 13"}},
      {Builder().value("k", 7, "\2"), {"'k'", "neither 0 nor 1"}},
      {Builder().value("k", 8, raw(huge)), {"key 'k' claims", "truncated"}},
      {Builder().array("k", 4, huge, ""), {"'k'", "elements of u32"}},
      {Builder().array("k", 8, huge, ""), {"'k'", "elements of string"}},
      {Builder().array("k", 8, 2, text("a") + raw(huge)), {"key 'k' claims"}},
      {Builder().array("k", 9, 1, raw(4u) + raw<std::uint64_t>(0)),
       {"'k'", "nests one array"}},
      {Builder().value("k", 0, "x").value("k", 0, "x"),
       {"duplicate metadata key 'k'"}},
      {Builder().value("general.alignment", 4, raw(0u)), {"alignment is 0"}},
      {Builder().value("general.alignment", 4, raw(24u)), {"alignment is 24"}},
      {Builder().value("general.alignment", 5, raw(-32)), {"alignment is -32"}},
      {Builder().value("general.alignment", 8, text("32")), {"holds string"}},
      {Builder().tensor("a", {8}).tensor("a", {8}, 0, 32),
       {"duplicate tensor name 'a'"}},
      {Builder().tensor("\x1b[2J\n", {0}), {"'\\x1b[2J\\n'"}},
      {Builder().tensor("", {8}), {"tensor name has 0 bytes"}},
      {Builder().tensor("a", {1, 1, 1, 1, 1}), {"'a'", "5 dimensions"}},
      {Builder().tensor("a", {0}), {"'a'", "impossible dimension 0"}},
      {Builder().tensor("a", {1ull << 63}), {"impossible dimension"}},
      {Builder().tensor("a", {1ull << 32, 1ull << 32}), {"'a'", "overflows"}},
      {Builder().tensor("a", {1ull << 62}), {"'a'", "overflow"}},
      {Builder().tensor("a", {48}, 3), {"'a'", "Q4_1 blocks of 32"}},
      {Builder().tensor("a", {32}, 20), {"IQ4_NL", "llama-quantize"}},
      {Builder().tensor("a", {256}, 11), {"'a'", "Q3_K", "Q4_K_M"}},
      {Builder().tensor("a", {128}, 12), {"'a'", "Q4_K blocks of 256"}},
      {Builder().tensor("a", {8}, 99), {"'a'", "unknown type 99"}},
      {Builder().tensor("a", {8}, 4), {"'a'", "unknown type 4"}},
      {Builder().tensor("a", {4}, 0, 16), {"'a'", "aligned to 32"}},
      {Builder().tensor("a", {17}), {"'a'", "outside the file"}},
      {Builder().tensor("a", {8}, 0, 64), {"'a'", "outside the file"}},
      {Builder().tensor("a", {8}, 0, ~0ull << 5), {"outside the file"}},
      {Builder().tensor("a", {9}).tensor("b", {1}, 0, 32),
       {"'a'", "overlaps", "'b'"}},
  };
  const TemporaryFolder folder;
  for (const auto& lie : lies) {
    test::put(folder / "lie.gguf", lie.builder.bytes());
    auto words = lie.words;
    words.push_back("lie.gguf");
    test::expect_refusal([&] { GgufFile file(folder / "lie.gguf"); }, words);
  }
}

TEST(GgufFile, EveryTruncationIsRefused) {
  const TemporaryFolder folder;
  const std::string whole = read_text(fixture("blocks.gguf"));
  test::put(folder / "cut", whole);
  // The writer pads after the last tensor; that much may go.
  for (std::size_t length = whole.size() - 32; length-- > 0;) {
    std::filesystem::resize_file(folder / "cut", length);
    EXPECT_THROW(GgufFile(folder / "cut"), CallerError) << length;
  }
}

// Three parts with a tensor each; the first one also has the metadata.
class SplitGguf : public testing::Test {
 protected:
  static Builder part(std::uint16_t number) {
    Builder builder;
    builder.value("split.no", 2, raw(number))
        .value("split.count", 2, raw<std::uint16_t>(3));
    if (number == 0)
      builder.value("split.tensors.count", 5, raw(3))
          .value("general.name", 8, text("x"));
    return builder.tensor(std::string(1, static_cast<char>('a' + number)), {8});
  }
  SplitGguf() {
    for (std::uint16_t i = 0; i < 3; ++i)
      test::put(name(i + 1), part(i).bytes());
  }
  std::filesystem::path name(int number) const {
    return folder_ / fmt::format("m-{:05}-of-00003.gguf", number);
  }
  void expect_refused(
      const std::filesystem::path& path, std::vector<std::string> words) {
    test::expect_refusal([&] { GgufFile file(path); }, words);
  }
  TemporaryFolder folder_;
};

TEST_F(SplitGguf, AllPartsAreRead) {
  const GgufFile file(name(1));
  EXPECT_EQ(file.names(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(file.find("c").has_value());
  EXPECT_EQ(file.text("general.name"), "x");
  const std::vector<std::filesystem::path> paths{name(1), name(2), name(3)};
  EXPECT_EQ(file.paths(), paths);
}

TEST_F(SplitGguf, WhatIsMissingOrWrongIsNamed) {
  expect_refused(
      name(2), {"part 2 of 3", "give the first", "m-00001-of-00003"});
  std::filesystem::rename(name(3), folder_ / "other.gguf");
  expect_refused(name(1), {"part 3 is missing", "m-00003-of-00003.gguf"});
  test::put(name(3), part(1).bytes());
  expect_refused(name(1), {"m-00003", "duplicate tensor name 'b'"});
  test::put(name(3), Builder().bytes());
  expect_refused(name(1), {"2 tensors", "says 3"});
  std::filesystem::rename(name(1), folder_ / "model.gguf");
  expect_refused(
      folder_ / "model.gguf", {"part 1 of 3", "-00001-of-00003.gguf"});
}

TEST(GgufFile, OtherFilesUnderItsNameAreGuessed) {
  const TemporaryFolder folder;
  const std::vector<std::pair<std::string, std::string>> cases{
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
       "git lfs pull"},
      {"<!DOCTYPE html>", "web page"},
      {"PK\3\4 and more", "PyTorch checkpoint"},
      {raw<std::uint64_t>(40) + "{\"a\":", "safetensors"}};
  for (const auto& [bytes, words] : cases) {
    test::put(folder / "x.gguf", bytes);
    test::expect_refusal(
        [&] { GgufFile file(folder / "x.gguf"); }, {"x.gguf", words});
  }
}

// SmolLM2-135M-Instruct as the product uses it.
TEST(GgufFile, RealModelHasTheChecksumsOfTheGgufPackage) {
  const char* folder = std::getenv("MOFT_MODELS");
  const auto path =
      std::filesystem::path(
          folder != nullptr ? folder : MOFT_SOURCE_DIR "/models") /
      "smollm2-135m-instruct.gguf";
  if (!std::filesystem::exists(path))
    GTEST_SKIP() << path << " is absent; scripts/test links it there";
  const auto begin = std::chrono::steady_clock::now();
  const GgufFile file(path);
  const auto data = file.tokenizer_data();
  const std::chrono::duration<double, std::milli> spent =
      std::chrono::steady_clock::now() - begin;
  RecordProperty("open_milliseconds", std::to_string(spent.count()));
  EXPECT_EQ(data.tokens.size(), 49152u);
  EXPECT_EQ(data.merges.size(), 48900u);
  EXPECT_EQ(data.tokens.at(2), "<|im_end|>");
  EXPECT_EQ(data.eos, 2);
  EXPECT_FALSE(data.add_bos);

  const auto expected =
      nlohmann::json::parse(read_text(fixture("real_gguf.json")));
  EXPECT_EQ(file.names().size(), expected["tensors"].get<std::size_t>());
  for (const auto& [name, facts] : expected["sums"].items()) {
    const auto view = file.find(name);
    ASSERT_TRUE(view.has_value()) << name;
    EXPECT_EQ(view->shape, facts["shape"].get<std::vector<std::int64_t>>());
    EXPECT_EQ(
        fmt::format("{:016x}", test::checksum(test::floats_of(*view))),
        facts["sum"].get<std::string>())
        << name;
  }
}

// The tokenizer of a file with these tokens; each has its llama.cpp type.
Builder vocabulary(
    const std::string& pre,
    const std::vector<std::pair<std::string, std::int32_t>>& tokens) {
  std::string texts;
  std::string types;
  for (const auto& [token, type] : tokens) {
    texts += text(token);
    types += raw(type);
  }
  Builder builder;
  builder.value("tokenizer.ggml.model", 8, text("gpt2"))
      .value("tokenizer.ggml.pre", 8, text(pre))
      .array("tokenizer.ggml.tokens", 8, tokens.size(), texts)
      .array("tokenizer.ggml.token_type", 5, tokens.size(), types)
      .value("tokenizer.ggml.bos_token_id", 4, raw<std::uint32_t>(0));
  return builder;
}

struct Written {
  explicit Written(const Builder& builder) {
    test::put(folder / "file.gguf", builder.bytes());
    file.emplace(folder / "file.gguf");
  }
  TemporaryFolder folder;
  std::optional<GgufFile> file;
};

// llama.cpp's table, for files without add_bos_token.
TEST(GgufTokenizer, TheBeginTokenIsPutFirstByPreTokenizer) {
  for (const char* pre :
       {"llama-bpe", "llama3", "llama-v3", "tekken", "falcon3", "pixtral"}) {
    EXPECT_TRUE(
        Written(vocabulary(pre, {{"a", 1}})).file->tokenizer_data().add_bos)
        << pre;
  }
  for (const char* pre :
       {"smollm", "gpt-2", "qwen2", "deepseek-r1-qwen", "default"}) {
    EXPECT_FALSE(
        Written(vocabulary(pre, {{"a", 1}})).file->tokenizer_data().add_bos)
        << pre;
  }
  // What the file says counts.
  Builder says = vocabulary("llama-bpe", {{"a", 1}});
  says.value("tokenizer.ggml.add_bos_token", 7, std::string(1, '\0'));
  EXPECT_FALSE(Written(says).file->tokenizer_data().add_bos);
  EXPECT_TRUE(adds_bos_by_default("llama", ""));
  EXPECT_TRUE(adds_bos_by_default("bert", ""));
  EXPECT_FALSE(adds_bos_by_default("t5", ""));
}

// Eos, eot and eom, then what is known to end a turn, as in llama.cpp.
TEST(GgufTokenizer, TokensThatEndATurnEndCompletions) {
  Builder builder = vocabulary(
      "llama-bpe",
      {{"<|begin_of_text|>", 3},
       {"<|eom_id|>", 3},
       {"a", 1},
       {"<|end_of_text|>", 3},
       {"<|eot_id|>", 1},  // its mark was forgotten
       {"</s>", 1},        // a piece of text here
       {"b", 1}});
  builder.value("tokenizer.ggml.eos_token_id", 4, raw<std::uint32_t>(3))
      .value("tokenizer.ggml.eot_token_id", 4, raw<std::uint32_t>(6));
  const Written written(builder);
  EXPECT_EQ(
      written.file->end_tokens(), (std::vector<std::int32_t>{3, 6, 1, 4}));
  EXPECT_EQ(
      written.file->tokenizer_data().token_types,
      (std::vector<std::int32_t>{3, 3, 1, 3, 3, 1, 1}));
  const Written marked(vocabulary("smollm", {{"a", 1}, {"</s>", 3}}));
  EXPECT_EQ(marked.file->end_tokens(), (std::vector<std::int32_t>{1}));
}

TEST(GgufTokenizer, MessagesOfAnAnswerDoNotEndIt) {
  const Written written(vocabulary(
      "gpt-2", {{"<|end|>", 3}, {"<|return|>", 3}, {"<|call|>", 3}}));
  EXPECT_EQ(written.file->end_tokens(), (std::vector<std::int32_t>{1, 2}));
  const Written alone(vocabulary("gpt-2", {{"<|end|>", 3}}));
  EXPECT_EQ(alone.file->end_tokens(), (std::vector<std::int32_t>{0}));
}

TEST(GgufTokenizer, AnEndTokenOutsideTheVocabularyIsNamed) {
  Builder builder = vocabulary("gpt-2", {{"a", 1}});
  builder.value("tokenizer.ggml.eot_token_id", 4, raw<std::uint32_t>(9));
  const Written written(builder);
  test::expect_refusal(
      [&] { written.file->end_tokens(); }, {"eot_token_id", "9", "1 tokens"});
}

TEST(GgufTokenizer, ChatTemplatesAreReadByName) {
  Builder builder = vocabulary("gpt-2", {{"a", 1}});
  builder.value("tokenizer.chat_template", 8, text("{{ messages }}"))
      .value("tokenizer.chat_template.tool_use", 8, text("{{ tools }}"));
  const std::map<std::string, std::string> wanted = {
      {"default", "{{ messages }}"}, {"tool_use", "{{ tools }}"}};
  EXPECT_EQ(Written(builder).file->tokenizer_data().chat_templates, wanted);
  builder.value("tokenizer.chat_template.../x", 8, text("evil"));
  const Written evil(builder);
  test::expect_refusal([&] { evil.file->tokenizer_data(); }, {"'../x'"});
}

}  // namespace
}  // namespace moft
