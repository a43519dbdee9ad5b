#include "moft/kernels/token_log_probs.h"

#include <torch/csrc/autograd/custom_function.h>

#include "moft/core/errors.h"

namespace moft::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor log_softmax_aten(const at::Tensor& logits, double scale) {
  return at::log_softmax(logits.to(at::kFloat) * scale, -1);
}

struct SelectedLogProbs : torch::autograd::Function<SelectedLogProbs> {
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& logits,
      const at::Tensor& targets,
      double scale,
      bool overwrite) {
    const auto log_normaliser =
        at::logsumexp(logits.to(at::kFloat) * scale, {-1});
    context->save_for_backward({logits, targets, log_normaliser});
    context->saved_data["scale"] = scale;
    context->saved_data["overwrite"] = overwrite;
    const auto chosen =
        logits.gather(1, targets.unsqueeze(1)).squeeze(1).to(at::kFloat);
    return chosen * scale - log_normaliser;
  }

  static variable_list backward(
      AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto scale = context->saved_data["scale"].toDouble();
    const auto& g = gradients[0];
    auto out = saved[0].to(at::kFloat) * scale;
    out.sub_(saved[2].unsqueeze(1)).exp_().mul_((g * -scale).unsqueeze(1));
    out.scatter_add_(1, saved[1].unsqueeze(1), (g * scale).unsqueeze(1));
    return {
        out.to(saved[0].scalar_type()),
        at::Tensor(),
        at::Tensor(),
        at::Tensor()};
  }
};

}  // namespace

at::Tensor selected_log_probs(
    const at::Tensor& logits,
    const at::Tensor& targets,
    const LogProbOptions& options) {
  return SelectedLogProbs::apply(
      logits, targets, options.inverse_temperature, options.overwrite_logits);
}

at::Tensor exact_kl(
    const at::Tensor& policy_logits,
    const at::Tensor& reference_logits,
    double inverse_temperature) {
  at::NoGradGuard no_grad;
  const auto p = log_softmax_aten(policy_logits, inverse_temperature);
  const auto q = log_softmax_aten(reference_logits, inverse_temperature);
  const auto weights = p.exp();
  return at::where(weights > 0, weights * (p - q), 0.0)
      .sum(-1, /*keepdim=*/false, at::kDouble)
      .to(at::kFloat);
}

at::Tensor entropy(const at::Tensor& logits, double inverse_temperature) {
  at::NoGradGuard no_grad;
  const auto p = log_softmax_aten(logits, inverse_temperature);
  const auto weights = p.exp();
  return at::where(weights > 0, -weights * p, 0.0)
      .sum(-1, /*keepdim=*/false, at::kDouble)
      .to(at::kFloat);
}

}  // namespace moft::kernels
