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

// Where a config.json has rotary settings: transformers 4 writes a theta and a
// scaling, transformers 5 rope_parameters.
struct RopeKeys {
  const char* theta = "rope_theta";
  double default_theta = 10000.0;
  const char* scaling = "rope_scaling";  // null: there is none
  // Null: rope_parameters holds the settings. Else they are in its object of
  // this name, one for each kind of layer.
  const char* layers = nullptr;
};

// CallerError naming the key for other kinds, for a key that the kind does not
// have, and where two places say different things.
Rope rope_from_json(
    const ConfigKeys& keys,
    std::int64_t context,
    std::int64_t head_size,
    const RopeKeys& names = {});

// Adds what both versions of transformers read back as the same embeddings.
// Factors become llama3 where they are its factors, else longrope with equal
// lists.
void add_rope_to_json(
    const Rope& rope,
    std::int64_t context,
    std::int64_t head_size,
    nlohmann::json& config);

}  // namespace moft
