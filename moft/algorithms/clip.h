// The global gradient norm over everything that is trained, and the factor
// that brings it under a ceiling.
//
// R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent
// neural networks", ICML 2013; the factor is torch.nn.utils.clip_grad_norm_'s.
// The norm counts true gradients, c_i G for copy i, each G read once.
//
// Thread safety: pure; parallel inside, the same bits for every thread count.
#pragma once

#include <optional>
#include <vector>

#include "moft/algorithms/gradient.h"

namespace moft {

struct ClippedNorm {
  double norm = 0.0;    // before clipping
  double factor = 1.0;  // to be multiplied into every gradient
};

// factor = min(1, max_norm / (norm + 1e-6)); 1 without a max_norm.
// gradients[i] belongs to parameters[i]. WorldError names the first parameter
// whose gradient holds a NaN or an infinity; CallerError when sizes or shapes
// do not fit or max_norm is not positive.
ClippedNorm clip_by_global_norm(
    const std::vector<TrainedTensor>& parameters,
    const std::vector<ScaledGradient>& gradients,
    std::optional<double> max_norm);

}  // namespace moft
