// Which of the ways in kl_gradient.h a training takes; without libtorch, for
// the options.
#pragma once

#include <optional>
#include <string>

namespace moft {

enum class KlEstimator {
  kSequence,
  kRewardToGo,
  kTokenExact,
  kTokenDirect,
  kTokenK3,
  kSequenceK2,
  kSequenceK3,
  kNone,
};

// Whether the gradient goes through K_t, so that all logits are needed.
bool differentiates_kl(KlEstimator estimator);

// Whether the loss has a KL term of each token.
bool has_kl_in_loss(KlEstimator estimator);

// What an estimator that is not exact does to the result, as one sentence for
// its user; none for the exact ones.
std::optional<std::string> kl_estimator_warning(KlEstimator estimator);

}  // namespace moft
