// How a token is drawn, and what was drawn.
#pragma once

#include <cstdint>
#include <optional>

#include <ATen/ATen.h>

namespace moft::kernels {

struct SampleOptions {
  double temperature = 1.0;                // > 0; logits are divided by it
  std::optional<std::int64_t> top_k = {};  // none = all tokens
  std::optional<double> top_p = {};        // in (0, 1]; none or 1 = all tokens
  bool greedy = false;  // the most probable token, lowest id first

  bool operator==(const SampleOptions&) const = default;
};

struct Samples {
  at::Tensor ids;        // int64 [rows]
  at::Tensor log_probs;  // float32 [rows]: tempered, untruncated policy
};

}  // namespace moft::kernels
