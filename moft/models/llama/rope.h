// Rotary position embeddings and how they are stretched beyond the context
// that a model was first trained on. References: transformers'
// modeling_rope_utils.py (4.57 and 5.17 agree on these kinds), llama.cpp for
// GGUF keys; YaRN: Peng et al., arXiv 2309.00071.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace moft {

class ConfigKeys;

enum class RopeKind {
  kPlain,
  kLinear,   // every frequency divided by `factor`
  kLlama3,   // low frequencies divided, a smooth passage between
  kYarn,     // the same by dimension, cos and sin times `attention`
  kFactors,  // every frequency divided by its own of `factors`
  // Plain inside the model's context, and never more: beyond it transformers'
  // frequencies depend on the longest row of a batch.
  kDynamic,
};

struct RopeScaling {
  RopeKind kind = RopeKind::kPlain;
  double factor = 1.0;
  double attention = 1.0;             // on cos and sin
  std::int64_t original_context = 0;  // of llama3 and yarn
  double low_frequency = 1.0;         // llama3
  double high_frequency = 4.0;
  double beta_fast = 32.0;  // yarn
  double beta_slow = 1.0;
  bool truncate = true;
  std::vector<double> factors;  // [head_size / 2]
};

struct Rope {
  double theta = 10000.0;
  RopeScaling scaling;
};

// 1 + 0.1 scale ln(factor), 1 up to a factor of 1 (YaRN, section 3.4).
double yarn_attention(double factor, double scale);

// What llama3 divides the frequencies by: [head_size / 2].
std::vector<double> llama3_factors(
    const RopeScaling& scaling, double theta, std::int64_t head_size);

// From rope_theta and rope_scaling (transformers 4) or rope_parameters
// (transformers 5). CallerError for other kinds, naming the key.
Rope rope_from_json(
    const ConfigKeys& keys, std::int64_t context, std::int64_t head_size);

// Adds what both versions of transformers read back as the same embeddings.
// Factors become llama3 where they are its factors, else longrope with equal
// lists.
void add_rope_to_json(
    const Rope& rope,
    std::int64_t context,
    std::int64_t head_size,
    nlohmann::json& config);

}  // namespace moft
