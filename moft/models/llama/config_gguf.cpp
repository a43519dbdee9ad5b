// The GGUF half of config.h: every key that changes the computation is read or
// refused.
#include <algorithm>
#include <array>
#include <cmath>

#include "moft/checkpoints/gguf.h"
#include "moft/core/errors.h"
#include "moft/models/decoder_config.h"
#include "moft/models/llama/config.h"

namespace moft {
namespace {

// Keys that are read elsewhere or change nothing.
constexpr std::array<std::string_view, 22> kKnown = {
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_epsilon",
    "attention.layer_norm_rms_epsilon",
    "attention.value_length",
    "attention.sliding_window",
    "attention.causal",
    "attention.scale",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.attn_factor",
    "rope.scaling.factor",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "rope.scaling.yarn_attn_factor",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "rope.scaling.yarn_ext_factor",
    "rope.scaling.yarn_log_multiplier",
};

// Keys whose value 0 or 1 means the same as no key at all.
struct Neutral {
  std::string_view key;
  double value;
};
constexpr std::array<Neutral, 9> kNeutral = {{
    {"attention.clamp_kqv", 0},
    {"attention.max_alibi_bias", 0},
    {"attn_logit_softcapping", 0},
    {"final_logit_softcapping", 0},
    {"embedding_scale", 1},
    {"expert_count", 0},
    {"expert_used_count", 0},
    {"logit_scale", 1},
    {"residual_scale", 1},
}};

[[noreturn]] void refuse(
    const GgufFile& file, const std::string& key, const std::string& why) {
  throw_caller_error(
      "{}: the key {} {}; take another model or the Hugging Face directory",
      file.describe(),
      key,
      why);
}

void check_value(
    const GgufFile& file, const std::string& key, double value, double wanted) {
  if (value != wanted)
    refuse(
        file,
        key,
        fmt::format(
            "is {}, which is not supported; moft computes it with {}",
            value,
            wanted));
}

bool may_change_the_computation(std::string_view key) {
  for (const char* part :
       {"attention.",
        "rope.",
        "expert",
        "ssm.",
        "_scale",
        "softcapping",
        "router",
        "sliding",
        "swiglu"})
    if (key.find(part) != std::string_view::npos) return true;
  return false;
}

void check_unread_key(
    const GgufFile& file, const std::string& full, std::string_view key) {
  if (std::find(kKnown.begin(), kKnown.end(), key) != kKnown.end()) return;
  for (const Neutral& neutral : kNeutral) {
    if (neutral.key != key) continue;
    // llama.cpp takes a scale of 0 for none.
    const double value = file.number(full);
    if (value != 0) check_value(file, full, value, neutral.value);
    return;
  }
  if (may_change_the_computation(key))
    refuse(file, full, "is not known to moft and may change the computation");
}

void check_keys(const GgufFile& file, const LlamaConfig& c) {
  const std::string prefix = c.architecture + ".";
  const auto size = static_cast<double>(c.head_size);
  const auto same_as_head = [&](const char* name) {
    const std::string key = prefix + name;
    check_value(file, key, file.number_or(key, size), size);
  };
  same_as_head("rope.dimension_count");
  same_as_head("attention.value_length");
  const std::string scale = prefix + "attention.scale";
  const double found = file.number_or(scale, 0.0);
  if (found != 0.0 && std::abs(found * std::sqrt(size) - 1.0) > 1e-6)
    check_value(file, scale, found, 1.0 / std::sqrt(size));
  if (!file.boolean_or(prefix + "attention.causal", true))
    refuse(file, prefix + "attention.causal", "is false, not supported");
  const std::int64_t window =
      file.integer_or(prefix + "attention.sliding_window", 0);
  if (window > 0 && window < c.context)
    refuse(
        file,
        prefix + "attention.sliding_window",
        fmt::format(
            "is {} in a context of {}, which is not supported; moft computes "
            "full causal attention",
            window,
            c.context));
}

// Looked at first: files that hold something else than a model, and keys that
// moft does not know.
void check_unread_keys(const GgufFile& file, const std::string& architecture) {
  const std::string kind = file.text_or("general.type", "model");
  if (kind != "model")
    throw_caller_error(
        "{}: is a GGUF of type '{}' (general.type), not a model; give the "
        "model's file",
        file.describe(),
        kind);
  const std::string prefix = architecture + ".";
  for (const auto& [full, value] : file.metadata())
    if (full.starts_with(prefix))
      check_unread_key(
          file, full, std::string_view(full).substr(prefix.size()));
}

}  // namespace

LlamaConfig llama_config_from_gguf(const GgufFile& file) {
  LlamaConfig c;
  c.architecture = file.text("general.architecture");
  const std::string& arch = c.architecture;
  check_unread_keys(file, arch);
  const auto key = [&](const char* name) { return arch + "." + name; };
  c.width = file.integer(key("embedding_length"));
  c.layers = file.integer(key("block_count"));
  c.heads = file.integer(key("attention.head_count"));
  c.kv_heads = file.integer_or(key("attention.head_count_kv"), c.heads);
  c.feed_forward = file.integer(key("feed_forward_length"));
  c.context = file.integer(key("context_length"));
  for (const std::int64_t size :
       {c.width, c.layers, c.heads, c.kv_heads, c.feed_forward, c.context}) {
    if (size < 1 || size > (std::int64_t{1} << 31)) {
      throw_caller_error(
          "{}: the metadata gives a model dimension of {}; the file is damaged",
          file.describe(),
          size);
    }
  }
  c.head_size = file.integer_or(key("attention.key_length"), c.width / c.heads);
  c.norm_epsilon = file.number(key("attention.layer_norm_rms_epsilon"));
  c.tied_head = !file.find("output.weight").has_value();
  c.qkv_bias = file.find("blk.0.attn_q.bias").has_value();
  c.output_bias = file.find("blk.0.attn_output.bias").has_value();
  c.feed_forward_bias = file.find("blk.0.ffn_gate.bias").has_value();
  c.query_key_norm = arch == "qwen3";
  const auto embedding = file.find("token_embd.weight");
  if (!embedding || embedding->shape.size() != 2) {
    throw_caller_error(
        "{}: tensor 'token_embd.weight' is missing; is this a language model?",
        file.describe());
  }
  c.vocabulary = embedding->shape[0];
  c.end_tokens = file.end_tokens();
  check_heads({c.width, c.heads, c.kv_heads, c.head_size}, file.describe());
  c.rope = rope_from_gguf(file, arch, c.context, c.head_size);
  check_keys(file, c);
  return c;
}

}  // namespace moft
