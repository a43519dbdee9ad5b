// How Llama-shaped decoders are read from files and drawn at random.
#include "moft/models/llama/family.h"

#include <optional>

#include "moft/models/decoder_model.h"
#include "moft/models/llama/config.h"
#include "moft/models/llama/gguf_layout.h"
#include "moft/models/random/initialise.h"

namespace moft {
namespace {

using nlohmann::json;

// Rows in Hugging Face's order: llama.cpp keeps each head's rotary pairs side
// by side.
kernels::RowSource unpermuted(
    kernels::RowSource source,
    const std::vector<std::int64_t>& shape,
    std::int64_t heads) {
  const std::int64_t head_size = shape[0] / heads;
  if (shape.size() == 1) {  // a bias: its elements are the rows
    const auto read = [read = std::move(source.floats),
                       head_size,
                       count = shape[0]](
                          std::int64_t, std::int64_t, float* target) {
      std::vector<float> stored(static_cast<std::size_t>(count));
      read(0, 1, stored.data());
      for (std::int64_t i = 0; i < count; ++i)
        target[i] = stored.at(static_cast<std::size_t>(gguf_row(i, head_size)));
    };
    return {read};
  }
  const std::int64_t width = shape[1];
  kernels::RowSource result(
      [read = std::move(source.floats), head_size, width](
          std::int64_t begin, std::int64_t end, float* target) {
        for (std::int64_t row = begin; row < end; ++row) {
          const std::int64_t stored = gguf_row(row, head_size);
          read(stored, stored + 1, target + (row - begin) * width);
        }
      });
  const kernels::BlockLayout layout = source.blocks.layout;
  if (layout.bits == 0) return result;
  result.blocks.layout = layout;
  result.blocks.read =
      [read = std::move(source.blocks.read),
       head_size,
       width,
       runs = width / layout.run](
          std::int64_t begin, std::int64_t end, kernels::BlockRows target) {
        for (std::int64_t row = begin; row < end; ++row) {
          const std::int64_t stored = gguf_row(row, head_size);
          const std::int64_t place = row - begin;
          read(
              stored,
              stored + 1,
              {target.scales + place * runs,
               target.offsets + place * runs,
               target.numbers + place * width});
        }
      };
  return result;
}

std::optional<std::int64_t> permuted_heads(
    const DecoderConfig& config, const std::string& name) {
  if (config.architecture != "llama") return std::nullopt;
  if (name.find(".q_proj.") != std::string::npos) return config.heads;
  if (name.find(".k_proj.") != std::string::npos) return config.kv_heads;
  return std::nullopt;
}

std::unique_ptr<LanguageModel> make(
    const json& config,
    const std::string& place,
    const FindParameter& find,
    const LoadOptions& options) {
  return std::make_unique<DecoderModel>(
      llama_config_from_json(config, place), find, options);
}

std::unique_ptr<LanguageModel> load_saved(
    SavedModel& saved, const LoadOptions& options) {
  return load_saved_decoder(
      saved, llama_config_from_json(saved.config(), saved.place()), options);
}

GgufModel load_gguf(
    const std::shared_ptr<const GgufFile>& file, const LoadOptions& options) {
  const DecoderConfig config = llama_config_from_gguf(*file);
  ModelTensors tensors(file, "", "token_embd.weight");
  const FindParameter find = [&](const std::string& name,
                                 std::vector<std::int64_t> shape) {
    const auto theirs = llama_gguf_name(name);
    TORCH_CHECK(theirs, "[load] no GGUF name for ", name);
    const auto heads = permuted_heads(config, name);
    auto rows = tensors.rows(*theirs, shape);
    return heads ? unpermuted(std::move(rows), shape, *heads) : rows;
  };
  auto model = std::make_unique<DecoderModel>(config, find, options);
  tensors.check_all_read({"blk.", "output", "rope_factors"});
  return {std::move(model), llama_config_to_json(config)};
}

json random_config(const RandomModelShape& shape) {
  const RandomModelTokens& tokens = shape.tokens;
  const DecoderConfig config = random_decoder_config(shape, "llama");
  json made = llama_config_to_json(config);
  made["initializer_range"] = 0.02;
  if (tokens.beginning >= 0) made["bos_token_id"] = tokens.beginning;
  return made;
}

InitialSpread spread(const json&, const std::string& name) {
  if (name.find("norm.") != std::string::npos) return {0.0, 1.0};
  if (name.ends_with(".bias")) return {0.0, 0.0};
  return {0.02, 0.0};
}

}  // namespace

ModelFamily llama_family() {
  return {
      "llama",
      {"llama", "mistral", "qwen2", "qwen3"},
      {"llama", "qwen2", "qwen3"},
      make,
      load_saved,
      load_gguf,
      {check_random_decoder, random_config, spread},
      llama_gguf_layout};
}

}  // namespace moft
