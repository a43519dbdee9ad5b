// A T5 small enough that a training step takes milliseconds, as an ordinary
// Hugging Face directory: random weights (v1.1 or v1.0), and the tiny
// spiece.model of the tokenizer fixtures.
#pragma once

#include "moft/checkpoints/safetensors_writer.h"

#include "tests/support/tiny_model.h"

namespace moft::test {

struct TinyT5Shape {
  std::int64_t encoder_layers = 1;
  std::int64_t decoder_layers = 2;
  std::int64_t width = 12;
  std::int64_t heads = 2;
  std::int64_t head_size = 4;
  std::int64_t feed_forward = 16;
  bool gated = true;  // v1.1
  bool tied = false;  // v1.0: true
  std::uint64_t seed = 1;
};

inline constexpr std::int64_t kTinyT5Vocabulary = 280;
inline constexpr std::int32_t kTinyT5End = 1;

// Names, shapes and spreads of the model's tensors; spread 0 means ones.
struct TinyTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  double deviation;
};

inline std::vector<TinyTensor> tiny_t5_tensors(const TinyT5Shape& shape) {
  std::vector<TinyTensor> tensors;
  const std::int64_t inner = shape.heads * shape.head_size;
  const auto linear =
      [&](const std::string& name, std::int64_t out, std::int64_t in) {
        const double deviation = 1.0 / std::sqrt(static_cast<double>(in));
        tensors.push_back({name + ".weight", {out, in}, deviation});
      };
  const auto norm = [&](const std::string& name) {
    tensors.push_back({name + ".weight", {shape.width}, 0.0});
  };
  const auto stack = [&](const std::string& side, std::int64_t layers) {
    const bool decoder = side == "decoder";
    for (std::int64_t i = 0; i < layers; ++i) {
      const std::string block = side + ".block." + std::to_string(i);
      const auto attention = [&](const std::string& at, const char* name) {
        for (const char* kind : {".q", ".k", ".v"})
          linear(at + name + kind, inner, shape.width);
        linear(at + name + ".o", shape.width, inner);
        norm(at + "layer_norm");
      };
      attention(block + ".layer.0.", "SelfAttention");
      if (i == 0) {
        tensors.push_back(
            {block + ".layer.0.SelfAttention.relative_attention_bias.weight",
             {8, shape.heads},
             1.0});
      }
      if (decoder) attention(block + ".layer.1.", "EncDecAttention");
      const std::string last = block + (decoder ? ".layer.2." : ".layer.1.");
      const std::string feed_forward = last + "DenseReluDense.";
      if (shape.gated) {
        linear(feed_forward + "wi_0", shape.feed_forward, shape.width);
        linear(feed_forward + "wi_1", shape.feed_forward, shape.width);
      } else {
        linear(feed_forward + "wi", shape.feed_forward, shape.width);
      }
      linear(feed_forward + "wo", shape.width, shape.feed_forward);
      norm(last + "layer_norm");
    }
    norm(side + ".final_layer_norm");
  };
  tensors.push_back({"shared.weight", {kTinyT5Vocabulary, shape.width}, 1.0});
  stack("encoder", shape.encoder_layers);
  stack("decoder", shape.decoder_layers);
  if (!shape.tied) linear("lm_head", kTinyT5Vocabulary, shape.width);
  return tensors;
}

// Writes config.json, model.safetensors and spiece.model.
inline void write_tiny_t5(
    const std::filesystem::path& directory, const TinyT5Shape& shape = {}) {
  std::filesystem::create_directories(directory);
  const nlohmann::json config = {
      {"model_type", "t5"},
      {"architectures", {"T5ForConditionalGeneration"}},
      {"is_encoder_decoder", true},
      {"vocab_size", kTinyT5Vocabulary},
      {"d_model", shape.width},
      {"d_kv", shape.head_size},
      {"d_ff", shape.feed_forward},
      {"num_layers", shape.encoder_layers},
      {"num_decoder_layers", shape.decoder_layers},
      {"num_heads", shape.heads},
      {"relative_attention_num_buckets", 8},
      {"relative_attention_max_distance", 20},
      {"feed_forward_proj", shape.gated ? "gated-gelu" : "relu"},
      {"tie_word_embeddings", shape.tied},
      {"decoder_start_token_id", 0},
      {"pad_token_id", 0},
      {"eos_token_id", kTinyT5End}};
  write_tiny_text(directory / "config.json", config.dump());
  std::filesystem::copy_file(
      std::filesystem::path(MOFT_SOURCE_DIR) /
          "tests/reference/tokenizers/fixtures/t5/spiece.model",
      directory / "spiece.model",
      std::filesystem::copy_options::overwrite_existing);
  std::vector<SafetensorsEntry> entries;
  for (const TinyTensor& tensor : tiny_t5_tensors(shape)) {
    std::int64_t count = 1;
    for (const std::int64_t size : tensor.shape)
      count *= size;
    RandomStream stream(
        shape.seed,
        Purpose::kTest,
        7,
        static_cast<std::uint32_t>(entries.size()));
    std::vector<float> values;
    for (std::int64_t i = 0; i < count; ++i) {
      const double value =
          tensor.deviation == 0.0 ? 1.0 : tensor.deviation * stream.normal();
      values.push_back(static_cast<float>(value));
    }
    entries.push_back({tensor.name, TensorType::kF32, tensor.shape, [values] {
                         return std::as_bytes(std::span(values));
                       }});
  }
  write_safetensors(directory / "model.safetensors", std::move(entries));
}

}  // namespace moft::test
