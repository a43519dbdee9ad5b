// KL strengths, mixing amounts and coefficients.
#include "moft/weightings/steering.h"

#include <algorithm>
#include <utility>

#include "moft/core/errors.h"

namespace moft {

KlRange::KlRange(double alpha_min, FMix f_mix)
    : alpha_min_(alpha_min), f_mix_(f_mix) {
  if (!(alpha_min >= 0.0 && alpha_min < 1.0)) {
    throw_caller_error(
        "alpha_min is {}; give a number of at least 0 and below 1", alpha_min);
  }
}

void KlRange::check(double alpha, std::string_view place) const {
  if (f_mix_ == FMix::kSoftmdp && alpha_min_ == 0.0 && alpha != 0.0) {
    throw_caller_error(
        "{} is {}; this policy has no KL control (alpha_min is 0), "
        "leave alpha out or give 0",
        place,
        alpha);
  }
  if (!(alpha >= alpha_min_ && alpha <= 1.0)) {
    throw_caller_error(
        "{} is {}; give a number from {} to 1", place, alpha, alpha_min_);
  }
}

double KlRange::mixing_amount(double alpha) const {
  check(alpha);
  if (f_mix_ == FMix::kLinear) return alpha;
  if (alpha == alpha_min_) return 0.0;
  const double beta = (alpha - alpha_min_) / (alpha * (1.0 - alpha_min_));
  return std::clamp(beta, 0.0, 1.0);
}

double KlRange::alpha_of(double beta) const {
  const double lowest = f_mix_ == FMix::kLinear ? alpha_min_ : 0.0;
  if (!(beta >= lowest && beta <= 1.0)) {
    throw_caller_error(
        "mixing amount is {}; give a number from {} to 1", beta, lowest);
  }
  if (f_mix_ == FMix::kLinear) return beta;
  if (alpha_min_ == 0.0) return 0.0;
  const double alpha = alpha_min_ / (alpha_min_ * beta + (1.0 - beta));
  return std::clamp(alpha, alpha_min_, 1.0);
}

Coefficients::Coefficients(double beta, const Weighting& w) {
  if (!(beta >= 0.0 && beta <= 1.0)) {
    throw_caller_error("mixing amount is {}; give a number in [0, 1]", beta);
  }
  if (w.size() == 0) {
    throw_caller_error("weights are empty; give one per objective");
  }
  values_.reserve(w.size() + 1);
  values_.push_back(beta);
  for (const double weight : w.values()) {
    values_.push_back((1.0 - beta) * weight);
  }
}

Coefficients Coefficients::of(std::vector<double> values) {
  Coefficients result;
  result.values_ = std::move(values);
  return result;
}

Coefficients Coefficients::frozen_reference() {
  Coefficients coefficients;
  coefficients.values_ = {1.0};
  coefficients.frozen_reference_ = true;
  return coefficients;
}

Coefficients coefficients(const Steering& steering, const KlRange& range) {
  return Coefficients(range.mixing_amount(steering.alpha), steering.w);
}

}  // namespace moft
