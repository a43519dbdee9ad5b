// The GGUF half of config.h: every key that changes the computation is read or
// refused.
#include <algorithm>
#include <array>
#include <cmath>

#include "moft/checkpoints/gguf.h"
#include "moft/core/errors.h"
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

void check_keys(const GgufFile& file, const DecoderConfig& c) {
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

constexpr const char* kFactorsName = "rope_freqs.weight";

double positive(const GgufFile& file, const std::string& key, double value) {
  if (!(value > 0) || !std::isfinite(value))
    throw_caller_error(
        "{}: {} is {}; it must be a number above 0, the file is damaged",
        file.describe(),
        key,
        value);
  return value;
}

double positive_or(
    const GgufFile& file, const std::string& key, double otherwise) {
  return positive(file, key, file.number_or(key, otherwise));
}

std::vector<double> read_factors(const GgufFile& file, std::int64_t head_size) {
  const TensorView view = *file.find(kFactorsName);
  const auto count = static_cast<std::size_t>(head_size / 2);
  if (view.shape != std::vector<std::int64_t>{head_size / 2} ||
      view.type != TensorType::kF32)
    throw_caller_error(
        "{}: tensor '{}' should hold {} float32 numbers, one for each pair of "
        "a head of {}; the file is damaged",
        file.describe(),
        kFactorsName,
        count,
        head_size);
  std::vector<float> factors(count);
  to_float(view, factors);
  for (const float factor : factors)
    positive(file, kFactorsName, static_cast<double>(factor));
  return {factors.begin(), factors.end()};
}

void read_yarn(
    const GgufFile& file,
    const std::string& prefix,
    std::int64_t context,
    RopeScaling& rope) {
  rope.original_context =
      file.integer_or(prefix + "original_context_length", context);
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  if (rope.original_context < 1 || rope.original_context > kMost)
    throw_caller_error(
        "{}: {}original_context_length is {}; the file is damaged",
        file.describe(),
        prefix,
        rope.original_context);
  rope.beta_fast = positive_or(file, prefix + "yarn_beta_fast", 32.0);
  rope.beta_slow = positive_or(file, prefix + "yarn_beta_slow", 1.0);
  const double multiplier = file.number_or(prefix + "yarn_log_multiplier", 0.0);
  rope.attention = yarn_attention(rope.factor, 1.0);
  if (multiplier != 0.0)
    rope.attention /= yarn_attention(rope.factor, multiplier);
  rope.attention *= positive_or(file, prefix + "attn_factor", 1.0);
  for (const char* key : {"yarn_ext_factor", "yarn_attn_factor"})
    if (file.number_or(prefix + key, 1.0) != 1.0)
      throw_caller_error(
          "{}: {}{} = {} is not supported; moft computes YaRN with a factor of "
          "1 there",
          file.describe(),
          prefix,
          key,
          file.number(prefix + key));
}

// From `ARCH.rope.*` and rope_freqs.weight, with llama.cpp's meaning of the
// keys.
Rope rope_from_gguf(
    const GgufFile& file,
    const std::string& architecture,
    std::int64_t context,
    std::int64_t head_size) {
  const std::string base = architecture + ".rope.";
  const std::string prefix = base + "scaling.";
  Rope rope;
  rope.theta = positive_or(file, base + "freq_base", rope.theta);
  if (rope.theta <= 1.0 || rope.theta > 1e30)
    throw_caller_error(
        "{}: {}freq_base is {}; the file is damaged",
        file.describe(),
        base,
        rope.theta);
  RopeScaling& found = rope.scaling;
  // Without a type a factor means linear scaling; scale_linear is its old key.
  const std::string kind = file.text_or(prefix + "type", "linear");
  const double old = file.number_or(base + "scale_linear", 1.0);
  const double factor =
      file.number_or(prefix + "factor", old == 0.0 ? 1.0 : old);
  found.factor =
      factor == 0.0 ? 1.0 : positive(file, prefix + "factor", factor);
  if (kind == "none") {
    found.factor = 1.0;
  } else if (kind == "linear") {
    if (found.factor != 1.0) found.kind = RopeKind::kLinear;
  } else if (kind == "yarn") {
    found.kind = RopeKind::kYarn;
    read_yarn(file, prefix, context, found);
  } else {
    throw_caller_error(
        "{}: rope scaling '{}' is not supported; moft computes plain rotary "
        "embeddings, linear, yarn and llama3 ({}); take a model of one of "
        "these kinds",
        file.describe(),
        kind,
        kFactorsName);
  }
  if (found.kind != RopeKind::kYarn &&
      file.number_or(prefix + "attn_factor", 1.0) != 1.0)
    throw_caller_error(
        "{}: {}attn_factor = {} without YaRN is not supported",
        file.describe(),
        prefix,
        file.number(prefix + "attn_factor"));
  if (!file.find(kFactorsName)) return rope;
  if (found.kind != RopeKind::kPlain)
    throw_caller_error(
        "{}: has rope scaling '{}' and '{}' as well; moft computes one of them",
        file.describe(),
        kind,
        kFactorsName);
  found.kind = RopeKind::kFactors;
  found.factors = read_factors(file, head_size);
  return rope;
}

}  // namespace

DecoderConfig llama_config_from_gguf(const GgufFile& file) {
  DecoderConfig c;
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
  check_heads(c, file.describe());
  c.rope = rope_from_gguf(file, arch, c.context, c.head_size);
  check_keys(file, c);
  return c;
}

}  // namespace moft
