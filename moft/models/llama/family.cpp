// How Llama-shaped decoders are read from files and drawn at random.
#include "moft/models/llama/family.h"

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "moft/models/decoder_model.h"
#include "moft/models/llama/config.h"
#include "moft/models/random/initialise.h"

namespace moft {
namespace {

using nlohmann::json;

using Pair = std::pair<std::string_view, std::string_view>;

constexpr std::array<Pair, 3> kGlobal{{
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
}};

constexpr std::array<Pair, 11> kInLayer{{
    {"input_layernorm", "attn_norm"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"},
    {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
}};

// llama.cpp's name of a tensor, from Hugging Face's:
// "model.layers.3.self_attn.q_proj.weight" -> "blk.3.attn_q.weight"; nothing
// for a name that the format has no word for.
std::optional<std::string> llama_gguf_name(std::string_view name) {
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view stem = name.substr(0, dot);
  const std::string suffix(name.substr(dot));
  for (const auto& [ours, theirs] : kGlobal) {
    if (stem == ours) return std::string(theirs) + suffix;
  }
  constexpr std::string_view kPrefix = "model.layers.";
  if (!stem.starts_with(kPrefix)) return std::nullopt;
  const std::string_view rest = stem.substr(kPrefix.size());
  const auto end = rest.find('.');
  if (end == std::string_view::npos) return std::nullopt;
  for (const auto& [ours, theirs] : kInLayer) {
    if (rest.substr(end + 1) == ours) {
      return "blk." + std::string(rest.substr(0, end)) + "." +
             std::string(theirs) + suffix;
    }
  }
  return std::nullopt;
}

// llama.cpp stores q and k of the llama architecture with each head's rotary
// pairs interleaved; Hugging Face keeps the two halves apart. The row of the
// file that is row `row` of the model.
std::int64_t unpermuted_row(std::int64_t row, std::int64_t head_size) {
  const std::int64_t inside = row % head_size, half = head_size / 2;
  return row - inside + inside % half * 2 + inside / half;
}

// The same with the rotary permutation undone.
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
        target[i] =
            stored.at(static_cast<std::size_t>(unpermuted_row(i, head_size)));
    };
    return {read};
  }
  const std::int64_t width = shape[1];
  kernels::RowSource result(
      [read = std::move(source.floats), head_size, width](
          std::int64_t begin, std::int64_t end, float* target) {
        for (std::int64_t row = begin; row < end; ++row) {
          const std::int64_t stored = unpermuted_row(row, head_size);
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
          const std::int64_t stored = unpermuted_row(row, head_size);
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
      {check_random_decoder, random_config, spread}};
}

}  // namespace moft
