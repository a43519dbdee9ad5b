// Single-sample estimates of the KL.
#include "moft/algorithms/kl_estimators.h"

#include "moft/core/errors.h"

namespace moft {

at::Tensor log_ratio(
    const at::Tensor& policy_log_probs, const at::Tensor& reference_log_probs) {
  if (policy_log_probs.sizes() != reference_log_probs.sizes()) {
    throw_caller_error(
        "the policy has {} log-probabilities and the reference {}; score the "
        "same tokens with both",
        policy_log_probs.numel(),
        reference_log_probs.numel());
  }
  return policy_log_probs.detach().to(at::kDouble) -
         reference_log_probs.detach().to(at::kDouble);
}

at::Tensor k1(const at::Tensor& log_ratio) {
  return log_ratio.detach().to(at::kDouble);
}

at::Tensor k2(const at::Tensor& log_ratio) {
  return k1(log_ratio).square() / 2;
}

at::Tensor k3(const at::Tensor& log_ratio) {
  const at::Tensor l = k1(log_ratio);
  return at::expm1(-l) + l;
}

}  // namespace moft
