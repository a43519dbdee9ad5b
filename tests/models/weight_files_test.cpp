// What counts is what the weight files hold: heads and embedding tables under
// any flag, prefixes, tensors too many, numbers that are not finite. Reference
// values: tests/reference/models/llama.py and make_t5.py.
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/checkpoints/blocks.h"
#include "moft/checkpoints/gguf.h"
#include "moft/checkpoints/safetensors.h"
#include "moft/checkpoints/safetensors_writer.h"
#include "moft/core/errors.h"
#include "moft/models/load.h"
#include "moft/models/model_tensors.h"

#include "tests/support/tensors.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kReference = fs::path(MOFT_SOURCE_DIR) / "tests/reference";
const std::string kEmbedding = "model.embed_tokens.weight";
const std::string kHead = "lm_head.weight";

// A copy of a model whose tensors and configuration a test changes.
class Copy {
 public:
  explicit Copy(const std::string& name) {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) /
              (std::string(test->test_suite_name()) + "-" + test->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    const fs::path source = kReference / "models" / name;
    std::ifstream(source / "config.json") >> config;
    const SafetensorsFile file(source / "model.safetensors");
    for (const std::string& tensor : file.names())
      tensors[tensor] = read_tensor(file, tensor, file.find(tensor)->shape);
  }
  ~Copy() { fs::remove_all(folder_); }

  void rename(const std::string& from, const std::string& to) {
    tensors[to] = tensors.at(from);
    tensors.erase(from);
  }
  const fs::path& write() const {
    std::vector<SafetensorsEntry> entries;
    for (const auto& [name, value] : tensors)
      entries.push_back(
          {name, TensorType::kF32, value.sizes().vec(), [value = value] {
             return std::as_bytes(std::span<const float>(
                 value.const_data_ptr<float>(),
                 static_cast<std::size_t>(value.numel())));
           }});
    write_safetensors(folder_ / "model.safetensors", entries);
    std::ofstream(folder_ / "config.json") << config;
    return folder_;
  }
  LoadedModel load() const { return load_language_model(write()); }

  json config;
  std::map<std::string, at::Tensor> tensors;

 private:
  fs::path folder_;
};

at::Tensor logits(const LoadedModel& loaded) {
  at::NoGradGuard no_gradient;
  ScoreBatch batch;
  batch.prompts = {{3, 5, 1}};
  batch.completions = {{7, 2, 9, 4, 1}};
  batch.prompt_of_row = {0};
  return loaded.model->completion_logits(
      batch, RowSteering::uniform(Coefficients::frozen_reference()));
}

void expect_refused(const Copy& copy, const std::vector<std::string>& words) {
  try {
    logits(copy.load());
    ADD_FAILURE() << "loaded; expected " << words.front();
  } catch (const CallerError& error) {
    for (const std::string& word : words)
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos)
          << error.what();
  }
}

at::Tensor logits_of(const std::string& name) {
  return logits(load_language_model(kReference / "models" / name));
}

TEST(LlamaHead, AHeadOfItsOwnCountsUnderATiedFlag) {
  Copy copy("llama_untied");
  copy.config["tie_word_embeddings"] = true;
  const LoadedModel loaded = copy.load();
  EXPECT_TRUE(test::same_bits(logits(loaded), logits_of("llama_untied")));
  EXPECT_EQ(loaded.config["tie_word_embeddings"], false);
}

TEST(LlamaHead, AHeadThatIsTheTableIsTied) {
  Copy copy("llama_tied");
  const LoadedModel plain = copy.load();
  copy.tensors[kHead] = copy.tensors.at(kEmbedding).clone();
  const LoadedModel loaded = copy.load();
  EXPECT_TRUE(test::same_bits(logits(loaded), logits_of("llama_tied")));
  EXPECT_EQ(loaded.config["tie_word_embeddings"], true);
  EXPECT_EQ(loaded.model->info().parameters, plain.model->info().parameters);
}

// Either name of a tied pair may be the one that a file keeps.
TEST(LlamaHead, ATiedTableMayHaveTheNameOfTheHead) {
  Copy copy("llama_tied");
  copy.rename(kEmbedding, kHead);
  EXPECT_TRUE(test::same_bits(logits(copy.load()), logits_of("llama_tied")));
}

TEST(LlamaHead, AnUntiedFlagWithoutAHeadIsRefusedWithTheCure) {
  Copy copy("llama_tied");
  for (const json& flag : {json(false), json()}) {
    copy.config["tie_word_embeddings"] = flag;
    expect_refused(
        copy,
        {"lm_head.weight", "is missing", "\"tie_word_embeddings\": true"});
  }
}

TEST(LlamaNames, APrefixThatAWrapperLeftIsTakenOff) {
  const at::Tensor expected = logits_of("llama_untied");
  for (const std::string prefix :
       {"module.", "base_model.model.", "_orig_mod."}) {
    Copy copy("llama_untied");
    for (const auto& [name, value] : std::map(copy.tensors))
      copy.rename(name, prefix + name);
    EXPECT_TRUE(test::same_bits(logits(copy.load()), expected)) << prefix;
  }
}

// What AutoModel saves: the decoder alone.
TEST(LlamaNames, TheDecoderAloneHasNoOuterName) {
  Copy copy("llama_tied");
  for (const auto& [name, value] : std::map(copy.tensors))
    copy.rename(name, name.substr(std::string("model.").size()));
  EXPECT_TRUE(test::same_bits(logits(copy.load()), logits_of("llama_tied")));
}

TEST(LlamaNames, TwoModelsInOneFileAreRefused) {
  Copy copy("llama_tied");
  for (const auto& [name, value] : std::map(copy.tensors)) {
    copy.tensors["a." + name] = value;
    copy.rename(name, "b." + name);
  }
  expect_refused(copy, {"a.model.embed_tokens", "b.model.embed_tokens"});
}

TEST(LlamaNames, ATensorOfALayerThatIsNotReadIsRefused) {
  for (const std::string name :
       {"model.layers.0.self_attn.q_proj.bias",
        "model.layers.1.self_attn.q_norm.weight",
        "model.layers.2.input_layernorm.weight",
        "lm_head.bias"}) {
    Copy copy("llama_theta");
    copy.tensors[name] = at::ones({24});
    expect_refused(copy, {name, "does not read it"});
  }
  Copy copy("llama_theta");
  copy.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = at::ones({3});
  copy.tensors["v_head.summary.weight"] = at::ones({1, 24});
  EXPECT_TRUE(test::same_bits(logits(copy.load()), logits_of("llama_theta")));
}

TEST(NotFinite, TheTensorIsNamedWhenItIsRead) {
  const float infinite = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::pair<std::string, float>> cases{
      {"model.layers.1.mlp.down_proj.weight", infinite},
      {"model.layers.0.self_attn.q_proj.bias", nan},
      {"model.norm.weight", nan},
      {kEmbedding, -infinite},
      {kHead, infinite}};
  for (const auto& [name, value] : cases) {
    Copy copy("llama_untied");
    at::Tensor& tensor = copy.tensors.at(name);
    tensor = tensor.clone();
    tensor.view({-1})[tensor.numel() - 2] = value;
    expect_refused(
        copy,
        {name, "not finite", "element " + std::to_string(tensor.numel() - 2)});
  }
}

// transformers 5 writes tie_word_embeddings for every T5 and keeps the scale
// of the head apart.
TEST(T5Head, ASavedAgainV11IsTheSameModel) {
  Copy copy("t5_v11");
  copy.config["tie_word_embeddings"] = true;
  copy.config["scale_decoder_outputs"] = false;
  const LoadedModel loaded = copy.load();
  EXPECT_TRUE(test::same_bits(logits(loaded), logits_of("t5_v11")));
  EXPECT_EQ(loaded.config["tie_word_embeddings"], false);
  EXPECT_EQ(loaded.config["scale_decoder_outputs"], false);
}

TEST(T5Head, AHeadOfItsOwnUnderATiedFlagIsScaled) {
  Copy copy("t5_v11");
  const double width = copy.config["d_model"];
  copy.config["tie_word_embeddings"] = true;
  const LoadedModel loaded = copy.load();
  const at::Tensor expected = logits_of("t5_v11") / std::sqrt(width);
  EXPECT_LE(test::largest(logits(loaded) - expected), 1e-5);
  EXPECT_EQ(loaded.config["tie_word_embeddings"], false);
}

TEST(T5Head, ATiedHeadThatIsNotScaledIsItsOwn) {
  Copy copy("t5_v10");
  const double width = copy.config["d_model"];
  copy.config["scale_decoder_outputs"] = false;
  const LoadedModel loaded = copy.load();
  const at::Tensor expected = logits_of("t5_v10") * std::sqrt(width);
  EXPECT_LE(test::largest(logits(loaded) - expected), 1e-4);
  EXPECT_EQ(loaded.config["tie_word_embeddings"], false);
}

TEST(T5Head, AnUntiedFlagWithoutAHeadIsRefused) {
  Copy copy("t5_v10");
  copy.config["tie_word_embeddings"] = false;
  expect_refused(copy, {"lm_head.weight", "\"tie_word_embeddings\": true"});
}

TEST(T5Names, AnyOneEmbeddingTableAndAnyPrefixWillDo) {
  const at::Tensor expected = logits_of("t5_v11");
  for (const std::string name :
       {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}) {
    Copy copy("t5_v11");
    at::Tensor table;
    for (const char* one :
         {"shared.weight",
          "encoder.embed_tokens.weight",
          "decoder.embed_tokens.weight"}) {
      if (copy.tensors.contains(one)) table = copy.tensors.at(one);
      copy.tensors.erase(one);
    }
    copy.tensors[name] = table;
    EXPECT_TRUE(test::same_bits(logits(copy.load()), expected)) << name;
    for (const auto& [inner, value] : std::map(copy.tensors))
      copy.rename(inner, "module." + inner);
    EXPECT_TRUE(test::same_bits(logits(copy.load()), expected)) << name;
  }
}

// Keys of the metadata that change the computation: a Llama's GGUF with one
// value changed in place, of the same length.
TEST(GgufKeys, WhatChangesTheComputationIsRefused) {
  std::ifstream file(
      kReference / "models/llama_variants/linear.gguf", std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  const fs::path path = fs::path(testing::TempDir()) / "keys.gguf";
  const auto message = [&](const std::string& key,
                           const std::string& renamed,
                           std::uint32_t value) {
    std::string bytes = whole;
    const std::size_t at = bytes.find(key);
    EXPECT_NE(at, std::string::npos) << key;
    bytes.replace(at, renamed.size(), renamed);
    std::memcpy(bytes.data() + at + key.size() + 4, &value, sizeof(value));
    std::ofstream(path, std::ios::binary) << bytes;
    try {
      load_language_model(path);
    } catch (const CallerError& error) {
      return std::string(error.what());
    }
    return std::string("loaded");
  };
  const auto expect = [&](const std::string& key,
                          const std::string& renamed,
                          std::uint32_t value,
                          const std::string& words) {
    const std::string found = message(key, renamed, value);
    EXPECT_NE(found.find(words), std::string::npos) << renamed << ": " << found;
  };
  const std::string rope = "llama.rope.dimension_count";
  expect(rope, rope, 16, "loaded");
  expect(rope, rope, 8, "rope.dimension_count is 8");
  const std::string length = "llama.attention.value_length";
  expect(length, length, 8, "value_length is 8");
  expect(length, "llama.attention.valui_length", 8, "not known to moft");
  const std::string vocabulary = "llama.vocab_size";
  expect(vocabulary, "llama.vocab_sizi", 8, "loaded");
  const std::string last = "tokenizer.ggml.eot_token_id";
  expect(last, last, 32, "eot_token_id is 32, outside the 32 tokens");
  fs::remove(path);
}

// The published T5 files hold this one; no version reads it.
TEST(T5Names, AnUnusedBiasOfOldCheckpointsIsPassedOver) {
  Copy copy("t5_v10");
  const std::string name =
      "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";
  copy.tensors[name] = at::ones({8, 2});
  EXPECT_TRUE(test::same_bits(logits(copy.load()), logits_of("t5_v10")));
  copy.tensors["decoder.block.0.layer.0.SelfAttention.q.bias"] = at::ones({8});
  expect_refused(copy, {"SelfAttention.q.bias", "does not read it"});
}

// Every kind of block keeps its numbers in products, as rows and unpacked.
TEST(Blocks, MatricesOfAllKindsHaveTheFloatsOfTheirFile) {
  int found = 0;
  for (const char* name : {"blocks.gguf", "k_blocks.gguf"}) {
    const auto file =
        std::make_shared<const GgufFile>(kReference / "checkpoints" / name);
    for (const std::string& tensor : file->names()) {
      const TensorView view = *file->find(tensor);
      if (block_form(view.type).bits == 0) continue;
      const kernels::RowSource source = rows_of(file, view);
      const kernels::PackedMatrix packed(view.shape[0], view.shape[1], source);
      EXPECT_NE(packed.storage(), kernels::Storage::kFloat32) << tensor;
      const at::Tensor floats = read_tensor(*file, tensor, view.shape);
      EXPECT_TRUE(at::equal(packed.unpack(), floats)) << tensor;
      const kernels::PackedMatrix plain(floats);
      const at::Tensor x = at::linspace(-1, 1, view.shape[1]).unsqueeze(0);
      EXPECT_TRUE(test::same_bits(
          kernels::multiply(x, packed), kernels::multiply(x, plain)))
          << tensor;
      ++found;
    }
  }
  EXPECT_EQ(found, 8);
}

}  // namespace
}  // namespace moft
