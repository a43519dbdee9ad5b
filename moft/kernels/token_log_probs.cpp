// Log-probabilities, entropies and KLs of rows of logits.
#include "moft/kernels/token_log_probs.h"

#include <cmath>

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "moft/core/errors.h"
#include "moft/kernels/parallel.h"
#include "moft/kernels/row_view.h"
#include "moft/kernels/simd/table.h"

namespace moft::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

void check_logits(const at::Tensor& logits, double scale) {
  if (logits.dim() != 2 || logits.size(1) < 1) {
    throw_caller_error(
        "log-probabilities: logits have {} dimensions; give [N, vocabulary]",
        logits.dim());
  }
  if (!(scale > 0) || !std::isfinite(scale)) {
    throw_caller_error(
        "log-probabilities: inverse_temperature is {}; give a positive number",
        scale);
  }
}

// Calls body(row) for every row; a row is work enough for a thread.
template <typename Body>
void for_rows(std::int64_t rows, const Body& body) {
  parallel_ranges(rows, 1, [&](auto begin, auto end) {
    for (auto row = begin; row < end; ++row)
      body(row);
  });
}

// The largest logit and log(sum exp(scale (x - largest))).
struct Normaliser {
  float largest;
  double log_sum;

  // log p of a logit.
  double log_prob(float logit, float scale) const {
    return double{scale} * (double{logit} - double{largest}) - log_sum;
  }
};

Normaliser normaliser(const float* row, std::int64_t count, float scale) {
  const auto& kernels = simd::table();
  const float largest = kernels.largest(row, count);
  return {
      largest,
      std::log(kernels.exponentials(row, count, scale, largest, nullptr))};
}

// log p of the targets, and per row [largest, log_sum] in double.
struct Selected {
  at::Tensor log_probs;
  at::Tensor normalisers;
};

Selected select_rows(
    const at::Tensor& logits, const at::Tensor& targets, float scale) {
  const auto rows = logits.size(0), vocabulary = logits.size(1);
  Selected selected{
      at::empty({rows}, logits.options()),
      at::empty({rows, 2}, logits.options().dtype(at::kDouble))};
  const auto row_of = read_rows(logits);
  const auto* target = targets.const_data_ptr<std::int64_t>();
  auto* result = selected.log_probs.mutable_data_ptr<float>();
  auto* kept = selected.normalisers.mutable_data_ptr<double>();
  for_rows(rows, [&](std::int64_t row) {
    const auto n = normaliser(row_of[row], vocabulary, scale);
    result[row] =
        static_cast<float>(n.log_prob(row_of[row][target[row]], scale));
    kept[2 * row] = n.largest;
    kept[2 * row + 1] = n.log_sum;
  });
  return selected;
}

// (onehot - softmax) * g * scale, row by row; target may be the logits.
void gradient_rows(
    const at::Tensor& logits,
    const at::Tensor& targets,
    const at::Tensor& normalisers,
    const at::Tensor& gradient,
    float scale,
    at::Tensor& target_buffer) {
  const auto from = read_rows(logits);
  const auto to = write_rows(target_buffer);
  const auto* target = targets.const_data_ptr<std::int64_t>();
  const auto* kept = normalisers.const_data_ptr<double>();
  const auto* g = gradient.const_data_ptr<float>();
  for_rows(logits.size(0), [&](std::int64_t row) {
    const float factor = g[row] * scale;
    const auto share = static_cast<float>(std::exp(-kept[2 * row + 1]));
    simd::table().scaled_exponentials(
        from[row],
        logits.size(1),
        scale,
        static_cast<float>(kept[2 * row]),
        -factor * share,
        to[row]);
    to[row][target[row]] += factor;
  });
}

struct SelectedLogProbs : torch::autograd::Function<SelectedLogProbs> {
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& logits,
      const at::Tensor& targets,
      double scale,
      bool overwrite) {
    context->saved_data["scale"] = scale;
    context->saved_data["overwrite"] = overwrite;
    auto selected =
        has_float_rows(logits)
            ? select_rows(logits, targets, static_cast<float>(scale))
            : select_aten(logits, targets, scale);
    context->save_for_backward({logits, targets, selected.normalisers});
    return selected.log_probs;
  }

  static variable_list backward(
      AutogradContext* context, variable_list gradients) {
    const at::NoGradGuard no_grad;
    const auto saved = context->get_saved_variables();
    const auto scale = context->saved_data["scale"].toDouble();
    const bool overwrite = context->saved_data["overwrite"].toBool();
    const auto& logits = saved[0];
    const auto g = gradients[0].contiguous();
    if (!has_float_rows(logits)) {
      return {
          gradient_aten(logits, saved[1], saved[2], g, scale),
          at::Tensor(),
          at::Tensor(),
          at::Tensor()};
    }
    auto buffer = overwrite ? logits.detach()
                            : at::empty(logits.sizes(), logits.options());
    gradient_rows(
        logits, saved[1], saved[2], g, static_cast<float>(scale), buffer);
    return {buffer, at::Tensor(), at::Tensor(), at::Tensor()};
  }

  static Selected select_aten(
      const at::Tensor& logits, const at::Tensor& targets, double scale) {
    const auto z = logits.to(at::kFloat) * scale;
    const auto normalisers = at::logsumexp(z, {-1});
    const auto chosen = z.gather(1, targets.unsqueeze(1)).squeeze(1);
    return {chosen - normalisers, normalisers};
  }

  static at::Tensor gradient_aten(
      const at::Tensor& logits,
      const at::Tensor& targets,
      const at::Tensor& normalisers,
      const at::Tensor& g,
      double scale) {
    auto out = logits.to(at::kFloat) * scale;
    out.sub_(normalisers.unsqueeze(1)).exp_().mul_((g * -scale).unsqueeze(1));
    out.scatter_add_(1, targets.unsqueeze(1), (g * scale).unsqueeze(1));
    return out.to(logits.scalar_type());
  }
};

at::Tensor log_softmax_aten(const at::Tensor& logits, double scale) {
  return at::log_softmax(logits.to(at::kFloat) * scale, -1);
}

at::Tensor kl_aten(const at::Tensor& p, const at::Tensor& q, double scale) {
  const auto log_p = log_softmax_aten(p, scale);
  const auto log_q = log_softmax_aten(q, scale);
  const auto weights = log_p.exp();
  return at::where(weights > 0, weights * (log_p - log_q), 0.0)
      .sum(-1, /*keepdim=*/false, at::kDouble)
      .to(at::kFloat);
}

at::Tensor entropy_aten(const at::Tensor& logits, double scale) {
  const auto log_p = log_softmax_aten(logits, scale);
  const auto weights = log_p.exp();
  return at::where(weights > 0, -weights * log_p, 0.0)
      .sum(-1, /*keepdim=*/false, at::kDouble)
      .to(at::kFloat);
}

void check_targets(const at::Tensor& logits, const at::Tensor& targets) {
  if (targets.dim() != 1 || targets.size(0) != logits.size(0) ||
      targets.scalar_type() != at::kLong) {
    throw_caller_error(
        "selected_log_probs: give one int64 target for each of {} rows",
        logits.size(0));
  }
  if (!targets.device().is_cpu()) return;
  const auto local = targets.contiguous();
  for (std::int64_t row = 0; row < local.size(0); ++row) {
    const auto id = local.const_data_ptr<std::int64_t>()[row];
    if (id >= 0 && id < logits.size(1)) continue;
    throw_caller_error(
        "selected_log_probs: target {} of row {} is outside the vocabulary "
        "of {}",
        id,
        row,
        logits.size(1));
  }
}

}  // namespace

at::Tensor selected_log_probs(
    const at::Tensor& logits,
    const at::Tensor& targets,
    const LogProbOptions& options) {
  check_logits(logits, options.inverse_temperature);
  check_targets(logits, targets);
  return SelectedLogProbs::apply(
      logits,
      targets.contiguous(),
      options.inverse_temperature,
      options.overwrite_logits);
}

at::Tensor exact_kl(
    const at::Tensor& policy_logits,
    const at::Tensor& reference_logits,
    double inverse_temperature) {
  const at::NoGradGuard no_grad;
  check_logits(policy_logits, inverse_temperature);
  if (policy_logits.sizes() != reference_logits.sizes()) {
    throw_caller_error(
        "exact_kl: policy [{}, {}] and reference with {} elements differ",
        policy_logits.size(0),
        policy_logits.size(1),
        reference_logits.numel());
  }
  if (!has_float_rows(policy_logits) || !has_float_rows(reference_logits)) {
    return kl_aten(policy_logits, reference_logits, inverse_temperature);
  }
  auto result = at::empty({policy_logits.size(0)}, policy_logits.options());
  const auto p = read_rows(policy_logits), q = read_rows(reference_logits);
  const auto count = policy_logits.size(1);
  const auto scale = static_cast<float>(inverse_temperature);
  auto* kl = result.mutable_data_ptr<float>();
  // With one set of weights w for both sums:
  //   KL = sum w (z_p - z_q) / sum w - (logsumexp z_p - logsumexp z_q).
  for_rows(policy_logits.size(0), [&](std::int64_t row) {
    const auto of_q = normaliser(q[row], count, scale);
    const float top = simd::table().largest(p[row], count);
    const auto sums =
        simd::table().difference_moments(p[row], q[row], count, scale, top);
    const double shift = double{scale} * (double{top} - double{of_q.largest});
    kl[row] = static_cast<float>(
        sums.weighted / sums.weights -
        (shift + (std::log(sums.weights) - of_q.log_sum)));
  });
  return result;
}

at::Tensor entropy(const at::Tensor& logits, double inverse_temperature) {
  const at::NoGradGuard no_grad;
  check_logits(logits, inverse_temperature);
  if (!has_float_rows(logits)) return entropy_aten(logits, inverse_temperature);
  auto result = at::empty({logits.size(0)}, logits.options());
  const auto rows = read_rows(logits);
  const auto scale = static_cast<float>(inverse_temperature);
  auto* entropies = result.mutable_data_ptr<float>();
  for_rows(logits.size(0), [&](std::int64_t row) {
    const float top = simd::table().largest(rows[row], logits.size(1));
    const auto sums =
        simd::table().own_moments(rows[row], logits.size(1), scale, top);
    entropies[row] = static_cast<float>(
        std::log(sums.weights) - sums.weighted / sums.weights);
  });
  return result;
}

}  // namespace moft::kernels
