// Adafactor's step, factored and not.
#include "moft/algorithms/adafactor.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include <ATen/ATen.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

constexpr const char* kSecond = "second_moment";
constexpr const char* kRow = "row_moment";
constexpr const char* kColumn = "column_moment";

void check_positive(const char* what, double value) {
  if (value > 0.0 && std::isfinite(value)) return;
  throw_caller_error("adafactor: {} is {}; give a number above 0", what, value);
}

void check_options(const AdafactorOptions& options) {
  check_positive("decay_rate", options.decay_rate);
  check_positive("epsilon1", options.epsilon1);
  check_positive("epsilon2", options.epsilon2);
  if (options.clipping_threshold)
    check_positive("clipping_threshold", *options.clipping_threshold);
  if (options.min_dim_size_to_factor < 1) {
    throw_caller_error(
        "adafactor: min_dim_size_to_factor is {}; give a number of at least 1",
        options.min_dim_size_to_factor);
  }
}

// The two dimensions that are averaged away; of equal ones the later counts
// as the larger.
struct Factors {
  std::int64_t largest;
  std::int64_t second;
};

std::optional<Factors> factors(
    at::IntArrayRef shape, const AdafactorOptions& options) {
  if (!options.factored || shape.size() < 2) return std::nullopt;
  std::vector<std::int64_t> order(shape.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    return shape[a] < shape[b];
  });
  const Factors result{order[order.size() - 1], order[order.size() - 2]};
  if (shape[result.second] < options.min_dim_size_to_factor)
    return std::nullopt;
  return result;
}

double root_mean_square(const at::Tensor& x) {
  return std::sqrt(x.square().mean().item<double>());
}

// moment <- beta moment + (1 - beta) square, and the same value.
const at::Tensor& decayed(
    at::Tensor& moment, const at::Tensor& square, double beta) {
  return moment.mul_(beta).add_(square, 1.0 - beta);
}

// g / sqrt(v), with v brought up to date.
at::Tensor preconditioned(
    const at::Tensor& gradient,
    OptimizerState& state,
    const std::optional<Factors>& dims,
    const AdafactorOptions& options) {
  const double beta =
      1.0 - std::pow(static_cast<double>(state.steps), -options.decay_rate);
  const at::Tensor square = gradient.square().add_(options.epsilon1);
  if (!dims)
    return gradient * decayed(state.moments.at(kSecond), square, beta).rsqrt();
  const at::Tensor& row =
      decayed(state.moments.at(kRow), square.mean({dims->largest}), beta);
  const at::Tensor& column =
      decayed(state.moments.at(kColumn), square.mean({dims->second}), beta);
  // The second dimension, counted without the largest.
  const std::int64_t left =
      dims->second > dims->largest ? dims->second - 1 : dims->second;
  const at::Tensor row_factor =
      (row / row.mean({left}, /*keepdim=*/true)).rsqrt_();
  return gradient * row_factor.unsqueeze(dims->largest) *
         column.rsqrt().unsqueeze(dims->second);
}

// The step on another device than the CPU: the factors stay there, since
// fetching each would wait for everything before it.
void subtract_there(
    at::Tensor& master,
    const at::Tensor& y,
    double learning_rate,
    const AdafactorOptions& options) {
  at::Tensor step = y * learning_rate;
  if (options.clipping_threshold) {
    const at::Tensor size = y.square().mean().sqrt_();
    step.div_(size.div_(*options.clipping_threshold).clamp_min_(1.0));
  }
  if (options.multiply_by_parameter_scale) {
    const at::Tensor size = master.square().mean().sqrt_();
    step.mul_(size.clamp_min_(options.epsilon2));
  }
  master.sub_(step);
}

void update_one(
    at::Tensor master,
    const at::Tensor& gradient,
    OptimizerState& state,
    double learning_rate,
    const AdafactorOptions& options) {
  at::Tensor y = preconditioned(
      gradient, state, factors(master.sizes(), options), options);
  if (!master.device().is_cpu()) {
    subtract_there(master, y, learning_rate, options);
    return;
  }
  double scale = learning_rate;
  if (options.multiply_by_parameter_scale)
    scale *= std::max(root_mean_square(master), options.epsilon2);
  if (options.clipping_threshold) {
    scale /= std::max(1.0, root_mean_square(y) / *options.clipping_threshold);
  }
  master.sub_(y, scale);
}

}  // namespace

Adafactor::Adafactor(
    std::vector<TrainedTensor> parameters,
    AdafactorOptions options,
    Ranks ranks)
    : Optimizer(
          "adafactor",
          std::move(parameters),
          options.dense,
          Division::kTensors,
          std::move(ranks)),
      options_(options) {
  check_options(options_);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor& master = parameters_[i].master;
    const auto add_without = [&](const char* moment, std::int64_t left_out) {
      auto shape = master.sizes().vec();
      shape.erase(shape.begin() + left_out);
      add_moment(i, moment, shape);
    };
    if (const auto dims = factors(master.sizes(), options_)) {
      add_without(kRow, dims->largest);
      add_without(kColumn, dims->second);
    } else {
      add_moment(i, kSecond, master.sizes());
    }
  }
}

void Adafactor::update(const std::vector<Part>& parts, double learning_rate) {
  for (const Part& part : parts) {
    const at::Tensor& master = part.master;
    const at::Tensor scaled =
        part.gradient.defined()
            ? part.gradient.to(master.device(), at::kFloat) * part.scale
            : at::zeros_like(master);
    update_one(master, scaled, states_[part.index], learning_rate, options_);
  }
}

}  // namespace moft
