// The GGUF half of rope.h, with llama.cpp's meaning of the keys.
#include <cmath>

#include "moft/checkpoints/gguf.h"
#include "moft/core/errors.h"
#include "moft/models/llama/rope.h"
#include "moft/models/llama/rope_factors.h"

namespace moft {
namespace {

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

}  // namespace

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

}  // namespace moft
