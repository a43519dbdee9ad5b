// Llama-shaped decoders as GGUF; the reading half is config_gguf.cpp.
#include "moft/models/llama/gguf_layout.h"

#include <cmath>

#include "moft/core/errors.h"
#include "moft/models/llama/config.h"
#include "moft/models/llama/names.h"
#include "moft/models/llama/rope_factors.h"

namespace moft {
namespace {

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
    const LlamaConfig& c, const std::string& place, GgufLayout& layout) {
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

GgufLayout llama_gguf_layout(
    const nlohmann::json& config, const std::string& place) {
  const LlamaConfig c = llama_config_from_json(config, place);
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
