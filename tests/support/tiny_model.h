// A Llama-shaped model small enough that a training step takes milliseconds,
// as an ordinary Hugging Face directory: random weights, and a byte-level
// tokenizer with one token for each of " abc..z.".
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/checkpoints/safetensors.h"
#include "moft/checkpoints/safetensors_writer.h"
#include "moft/core/random.h"

namespace moft::test {

struct TinyModel {
  std::int64_t layers = 2;
  std::int64_t width = 16;
  std::int64_t heads = 2;
  std::int64_t kv_heads = 1;
  std::int64_t feed_forward = 24;
  bool tied = false;
  bool numbers = false;  // a vocabulary with digits, ':' and ';'
  std::uint64_t seed = 1;
};

inline constexpr const char* kTinyEnd = "<end>";

// Space, a to z, '.', and the end token, which is the last id.
inline std::vector<std::string> tiny_vocabulary(bool numbers = false) {
  std::vector<std::string> pieces = {"\u0120"};
  for (char letter = 'a'; letter <= 'z'; ++letter)
    pieces.emplace_back(1, letter);
  pieces.emplace_back(".");
  if (numbers) {
    for (const char sign : std::string("0123456789:;"))
      pieces.emplace_back(1, sign);
  }
  pieces.emplace_back(kTinyEnd);
  return pieces;
}

inline void write_tiny_text(
    const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline void write_tiny_tokenizer(
    const std::filesystem::path& directory, bool numbers = false) {
  const auto pieces = tiny_vocabulary(numbers);
  nlohmann::json vocabulary = nlohmann::json::object();
  for (std::size_t id = 0; id < pieces.size(); ++id)
    vocabulary[pieces[id]] = id;
  const nlohmann::json byte_level = {
      {"type", "ByteLevel"},
      {"add_prefix_space", false},
      {"trim_offsets", true},
      {"use_regex", true}};
  const nlohmann::json tokenizer = {
      {"version", "1.0"},
      {"added_tokens",
       {{{"id", pieces.size() - 1},
         {"content", kTinyEnd},
         {"single_word", false},
         {"lstrip", false},
         {"rstrip", false},
         {"normalized", false},
         {"special", true}}}},
      {"normalizer", nullptr},
      {"pre_tokenizer", byte_level},
      {"post_processor", nullptr},
      {"decoder", byte_level},
      {"model",
       {{"type", "BPE"},
        {"vocab", vocabulary},
        {"merges", nlohmann::json::array()}}}};
  write_tiny_text(directory / "tokenizer.json", tokenizer.dump());
}

// Writes config.json, model.safetensors and tokenizer.json.
inline void write_tiny_model(
    const std::filesystem::path& directory, const TinyModel& shape = {}) {
  std::filesystem::create_directories(directory);
  const auto vocabulary =
      static_cast<std::int64_t>(tiny_vocabulary(shape.numbers).size());
  const nlohmann::json config = {
      {"model_type", "llama"},
      {"architectures", {"LlamaForCausalLM"}},
      {"vocab_size", vocabulary},
      {"hidden_size", shape.width},
      {"num_hidden_layers", shape.layers},
      {"num_attention_heads", shape.heads},
      {"num_key_value_heads", shape.kv_heads},
      {"intermediate_size", shape.feed_forward},
      {"max_position_embeddings", shape.numbers ? 256 : 64},
      {"tie_word_embeddings", shape.tied},
      {"eos_token_id", vocabulary - 1}};
  write_tiny_text(directory / "config.json", config.dump());
  write_tiny_tokenizer(directory, shape.numbers);

  std::vector<SafetensorsEntry> entries;
  const auto add = [&](const std::string& name,
                       std::vector<std::int64_t> dimensions,
                       double deviation) {
    std::int64_t count = 1;
    for (const std::int64_t size : dimensions)
      count *= size;
    RandomStream stream(
        shape.seed,
        Purpose::kTest,
        0,
        static_cast<std::uint32_t>(entries.size()));
    std::vector<float> values;
    for (std::int64_t i = 0; i < count; ++i) {
      values.push_back(
          deviation == 0.0 ? 1.0F
                           : static_cast<float>(deviation * stream.normal()));
    }
    entries.push_back({name, TensorType::kF32, std::move(dimensions), [values] {
                         return std::as_bytes(std::span(values));
                       }});
  };
  const auto linear = [&](const std::string& name,
                          std::int64_t out,
                          std::int64_t in) {
    add(name + ".weight", {out, in}, 1.0 / std::sqrt(static_cast<double>(in)));
  };
  const std::int64_t head = shape.width / shape.heads;
  add("model.embed_tokens.weight", {vocabulary, shape.width}, 1.0);
  for (std::int64_t layer = 0; layer < shape.layers; ++layer) {
    const std::string at = "model.layers." + std::to_string(layer) + ".";
    add(at + "input_layernorm.weight", {shape.width}, 0.0);
    add(at + "post_attention_layernorm.weight", {shape.width}, 0.0);
    linear(at + "self_attn.q_proj", shape.width, shape.width);
    linear(at + "self_attn.k_proj", shape.kv_heads * head, shape.width);
    linear(at + "self_attn.v_proj", shape.kv_heads * head, shape.width);
    linear(at + "self_attn.o_proj", shape.width, shape.width);
    linear(at + "mlp.gate_proj", shape.feed_forward, shape.width);
    linear(at + "mlp.up_proj", shape.feed_forward, shape.width);
    linear(at + "mlp.down_proj", shape.width, shape.feed_forward);
  }
  add("model.norm.weight", {shape.width}, 0.0);
  if (!shape.tied) linear("lm_head", vocabulary, shape.width);
  write_safetensors(directory / "model.safetensors", std::move(entries));
}

}  // namespace moft::test
