// The runs of tier 1 of docs/results/figures-protocol.md: policies trained on
// ENUM-1 and the fronts that enumeration gives them, without samples.
//
// A unit is what is trained in one sitting: a policy with its checkpoints, or
// one policy per objective ("experts") with what is made of them, soups and
// mixtures of their token probabilities (MOD, arXiv 2406.18853).
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/core/fields.h"
#include "moft/weightings/weighting.h"

#include "verify/tiny_models.h"

namespace moft::exact {

constexpr auto enum_names(ModelFamily) {
  return EnumNames<ModelFamily, 2>{{
      {ModelFamily::kLlama, "llama"},
      {ModelFamily::kT5, "t5"},
  }};
}

struct EnumRunOptions {
  std::string unit;
  ModelFamily family = ModelFamily::kLlama;
  std::int64_t objectives = 2;
  double alpha = 0.01;
  std::int64_t seed = 1;
  std::int64_t steps = 1512;
  double learning_rate = 5e-3;
  double concentration = 1.0;
  std::int64_t width = 16;
  std::string output;

  template <class V>
  void fields(V& v) {
    v("unit", unit, Help{"what is trained"}, Required{});
    v("family", family, Help{"shape of the model"});
    v("objectives",
      objectives,
      Help{"the task's first rewards: faithful, rouge, length"},
      between(1, 3));
    v("alpha", alpha, Help{"KL strength"}, above(0));
    v("seed", seed, Help{"of the model and of its training"}, at_least(0));
    v("steps", steps, Help{"T, divisible by 18", "steps"}, at_least(18));
    v("learning_rate", learning_rate, Help{"of AdamW, constant"}, at_least(0));
    v("concentration",
      concentration,
      Help{"of the Dirichlet distribution of weightings"},
      above(0));
    v("width", width, Help{"of the model"}, at_least(8));
    v("output", output, Help{"JSON file that is written"}, Required{});
  }

  void check(const std::string& path) const;
};

// "full", "attention", "logits", "lora", "lora-batch", "words", "full+words",
// "attention+words", "logits+words"; "experts", "bank", "reference"; with one
// objective and every KL strength from alpha on "kl-full", "kl-attention",
// "kl-logits", "kl-linear" (linear mixing), "dera" (arXiv 2402.02992).
std::vector<std::string> enum_units();

// 11 weightings of two objectives, 13 of three.
std::vector<Weighting> protocol_weightings(std::size_t objectives);

// Trains the unit and enumerates its fronts:
//   {unit, family, .., objectives: [names], parameters, seconds,
//    fronts: [{method, step, completions, weightings [K][m], alphas [K],
//              rewards [K][m], kl [K], value [K], optimum [K]}]}
// `completions` were scored in training. `progress` is called now and then.
nlohmann::ordered_json run_enum_unit(
    const EnumRunOptions& options,
    const std::function<void(const std::string&)>& progress = {});

}  // namespace moft::exact
