// Llama-shaped decoders as GGUF; the reading half is config_gguf.cpp.
#include "moft/models/llama/gguf_layout.h"

#include <array>
#include <cmath>
#include <utility>

#include "moft/core/errors.h"
#include "moft/models/llama/config.h"

namespace moft {
namespace {

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

std::vector<float> as_floats(const std::vector<double>& numbers) {
  return {numbers.begin(), numbers.end()};
}

void add_yarn(
    const RopeScaling& scaling,
    const std::string& prefix,
    const std::string& place,
    GgufValues& values) {
  if (!scaling.truncate) {
    throw_caller_error(
        "{}: YaRN without truncate has no counterpart in GGUF; export the "
        "Hugging Face directory",
        place);
  }
  values.add_text(prefix + "type", "yarn");
  values.add_f32(prefix + "factor", scaling.factor);
  values.add_u32(prefix + "original_context_length", scaling.original_context);
  values.add_f32(prefix + "yarn_beta_fast", scaling.beta_fast);
  values.add_f32(prefix + "yarn_beta_slow", scaling.beta_slow);
  const double own = scaling.attention / yarn_attention(scaling.factor, 1.0);
  if (std::abs(own - 1.0) > 1e-9) values.add_f32(prefix + "attn_factor", own);
}

void add_rope(
    const DecoderConfig& c, const std::string& place, GgufLayout& layout) {
  const std::string base = layout.architecture + ".rope.";
  const RopeScaling& scaling = c.rope.scaling;
  layout.values.add_f32(base + "freq_base", c.rope.theta);
  layout.values.add_u32(base + "dimension_count", c.head_size);
  switch (scaling.kind) {
    case RopeKind::kPlain:
    case RopeKind::kDynamic:
      return;
    case RopeKind::kLinear:
      layout.values.add_text(base + "scaling.type", "linear");
      layout.values.add_f32(base + "scaling.factor", scaling.factor);
      return;
    case RopeKind::kYarn:
      add_yarn(scaling, base + "scaling.", place, layout.values);
      return;
    case RopeKind::kLlama3:
    case RopeKind::kFactors:
      break;
  }
  if (scaling.attention != 1.0) {
    throw_caller_error(
        "{}: rope factors with an attention factor have no counterpart in "
        "GGUF; export the Hugging Face directory",
        place);
  }
  layout.vectors.emplace_back(
      "rope_freqs.weight",
      as_floats(
          scaling.kind == RopeKind::kFactors
              ? scaling.factors
              : llama3_factors(scaling, c.rope.theta, c.head_size)));
}

}  // namespace

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

GgufLayout llama_gguf_layout(
    const nlohmann::json& config, const std::string& place) {
  const DecoderConfig c = llama_config_from_json(config, place);
  GgufLayout layout;
  const bool qwen = c.architecture.starts_with("qwen");
  layout.architecture = qwen ? c.architecture : "llama";
  const std::string prefix = layout.architecture + ".";
  GgufValues& values = layout.values;
  values.add_u32(prefix + "vocab_size", c.vocabulary);
  values.add_u32(prefix + "context_length", c.context);
  values.add_u32(prefix + "embedding_length", c.width);
  values.add_u32(prefix + "block_count", c.layers);
  values.add_u32(prefix + "feed_forward_length", c.feed_forward);
  values.add_u32(prefix + "attention.head_count", c.heads);
  values.add_u32(prefix + "attention.head_count_kv", c.kv_heads);
  values.add_u32(prefix + "attention.key_length", c.head_size);
  values.add_u32(prefix + "attention.value_length", c.head_size);
  values.add_f32(prefix + "attention.layer_norm_rms_epsilon", c.norm_epsilon);
  add_rope(c, place, layout);
  layout.place = [qwen, size = c.head_size](const std::string& name) {
    const auto has = [&](const char* part) {
      return name.find(part) != std::string::npos;
    };
    auto theirs = llama_gguf_name(name);
    if (!theirs) return std::optional<GgufPlace>();
    const bool permuted = !qwen && (has(".q_proj.") || has(".k_proj."));
    return std::optional(GgufPlace{*std::move(theirs), permuted ? size : 0});
  };
  return layout;
}

}  // namespace moft
