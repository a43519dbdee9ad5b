// Bootstrap over training seeds and, within each, over prompts.
//
// Every draw takes S seeds with replacement and, for each seed drawn, N prompts
// with replacement (a seed drawn twice gets other prompts the second time).
// With one seed this is the plain bootstrap over prompts, bit for bit
// (bootstrap.h). With three seeds the draws over seeds are coarse: there are 10
// different multisets, so look at each seed's own number beside the bounds.
//
// Source: Efron (1979), two levels as in Davison and Hinkley (1997, 3.8).
// Thread safety: immutable after construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "moft/evaluation/front.h"

namespace moft {

struct NestedBootstrapOptions {
  std::size_t resamples = 4000;
  double error = 0.05;  // of each one-sided bound
  std::uint64_t seed = 0;
  // False where all prompts there are were enumerated: seeds only are drawn.
  bool draw_prompts = true;
};

class NestedBootstrap {
 public:
  // Resample b comes from RandomStream(seed, Purpose::kBootstrap, 0, b) alone.
  // CallerError for no seeds, prompts or resamples, and an error outside
  // (0, 0.5).
  NestedBootstrap(
      std::size_t seeds,
      std::size_t prompts,
      NestedBootstrapOptions options = {});

  // The mean of scores [seeds][prompts] with its bounds, and each seed's own
  // mean. A paired comparison gives differences as scores. CallerError for
  // other sizes.
  Effect mean(const std::vector<std::vector<double>>& scores) const;

 private:
  std::size_t seeds_;
  std::size_t prompts_;
  NestedBootstrapOptions options_;
  std::vector<std::uint16_t> counts_;  // [resamples, seeds, prompts]
};

}  // namespace moft
