// Clipping by the global norm.
#include "moft/algorithms/clip.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

#include "moft/algorithms/optimizer.h"
#include "moft/algorithms/shards.h"
#include "moft/core/errors.h"
#include "moft/kernels/parallel.h"

namespace moft {
namespace {

// Eight running sums, so that the compiler may use vectors.
double sum_of_squares(const float* x, std::int64_t count) {
  std::array<double, 8> lanes{};
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int lane = 0; lane < 8; ++lane) {
      const double value = x[i + lane];
      lanes[lane] += value * value;
    }
  }
  for (; i < count; ++i)
    lanes[0] += static_cast<double>(x[i]) * x[i];
  double sum = 0.0;
  for (const double lane : lanes)
    sum += lane;
  return sum;
}

struct Chunk {
  std::size_t tensor;
  const float* first;
  std::int64_t count;
};

// Sum of squares of each tensor. Chunks of fixed size are added in order, so
// the number of threads does not matter; tensors elsewhere cost one transfer.
std::vector<double> squared_norms(const std::vector<at::Tensor>& tensors) {
  std::vector<double> sums(tensors.size(), 0.0);
  std::vector<Chunk> chunks;
  std::vector<at::Tensor> remote;
  std::vector<std::size_t> remote_index;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!is_plain(tensors[i])) {
      const at::Tensor norm = at::linalg_vector_norm(
          tensors[i].detach(), 2, std::nullopt, false, at::kDouble);
      remote.push_back(norm.square());
      remote_index.push_back(i);
      continue;
    }
    const auto* first = tensors[i].const_data_ptr<float>();
    for (std::int64_t at = 0; at < tensors[i].numel(); at += kNormChunk) {
      chunks.push_back(
          {i, first + at, std::min(kNormChunk, tensors[i].numel() - at)});
    }
  }
  std::vector<double> partial(chunks.size());
  kernels::parallel_ranges(
      static_cast<std::int64_t>(chunks.size()),
      4,
      [&](std::int64_t begin, std::int64_t end) {
        for (auto c = begin; c < end; ++c) {
          partial[c] = sum_of_squares(chunks[c].first, chunks[c].count);
        }
      });
  for (std::size_t c = 0; c < chunks.size(); ++c) {
    sums[chunks[c].tensor] += partial[c];
  }
  if (!remote.empty()) {
    const at::Tensor host = at::stack(remote).to(at::kCPU);
    for (std::size_t k = 0; k < remote.size(); ++k) {
      sums[remote_index[k]] = host.const_data_ptr<double>()[k];
    }
  }
  return sums;
}

}  // namespace

ClippedNorm clip_by_global_norm(
    const std::vector<TrainedTensor>& parameters,
    const std::vector<ScaledGradient>& gradients,
    std::optional<double> max_norm) {
  check_gradients("clipping", parameters, gradients);
  if (max_norm && !(*max_norm > 0.0)) {
    throw_caller_error(
        "the largest gradient norm is {}; give a number above 0", *max_norm);
  }
  std::unordered_map<const void*, std::size_t> seen;
  std::vector<at::Tensor> distinct;
  for (const ScaledGradient& gradient : gradients) {
    if (!gradient.takes_part()) continue;
    const void* key = gradient.tensor.unsafeGetTensorImpl();
    if (seen.emplace(key, distinct.size()).second) {
      distinct.push_back(gradient.tensor);
    }
  }
  const std::vector<double> squares = squared_norms(distinct);
  double total = 0.0;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].takes_part()) continue;
    const double c = gradients[i].coefficient;
    const double square =
        squares[seen.at(gradients[i].tensor.unsafeGetTensorImpl())];
    if (!std::isfinite(square) || !std::isfinite(c)) {
      throw_world_error(
          "the gradient of '{}' is not finite; lower the learning rate or "
          "look at the rewards of this step",
          parameters[i].name);
    }
    total += c * c * square;
  }
  ClippedNorm result{.norm = std::sqrt(total)};
  if (max_norm) {
    result.factor = std::min(1.0, *max_norm / (result.norm + 1e-6));
  }
  return result;
}

}  // namespace moft
