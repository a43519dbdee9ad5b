// What the workloads of a model family look like, and the least time that their
// products and weights take.
#pragma once

#include <cstddef>
#include <string>

#include <fmt/format.h>

#include "moft/models/load.h"

#include "benchmarks/measure.h"

namespace moft::benchmarks {

// The least that the shape needs, without attention.
struct ModelCost {
  double prompt_parameters = 0.0;  // that each token of a prompt meets
  double fresh_parameters = 0.0;   // that each new token meets, but the head
  double head_parameters = 0.0;
  double bytes = 0.0;  // to be read for one new token

  double prompt_flops(double tokens) const {
    return 2.0 * prompt_parameters * tokens;
  }
  double fresh_flops(double tokens) const {
    return 2.0 * (fresh_parameters + head_parameters) * tokens;
  }
};

// `file`: whose size is what has to be read where weights stay in its blocks.
// `bfloat16`: weights in it, but the `wo` of T5.
ModelCost cost_of(
    const LoadedModel& model, const std::string& file, bool bfloat16);

// Prompts and lengths of a family's workloads, as the peers' scripts have them.
struct Shape {
  std::string label;
  std::size_t prompt;
  std::size_t step_rows;
  int step_fresh;
  bool prompt_ends;  // with the end token

  // A step in several parts takes less memory, and one more pass of the policy.
  int full_parts;  // of a step of full finetuning

  std::string prompt_text() const {
    return prompt_ends ? fmt::format("src{}", prompt)
                       : fmt::format("prompt{}", prompt);
  }
};

Shape shape_of(const LoadedModel& model, const std::string& file);

// The prompts' own pass, then one pass over all weights per new token.
double generation_seconds(
    const Roofline& roof,
    const ModelCost& cost,
    double rows,
    double prompt,
    double fresh);

}  // namespace moft::benchmarks
