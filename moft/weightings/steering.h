// What a request carries, and what conditioning needs to know of it.
//
// CLP, arXiv 2407.15762: equation 3 and appendix A.4. With w the weighting,
// alpha the KL strength and beta = f_mix(alpha) the mixing amount,
//   theta_S = beta theta_ref[S] + (1 - beta) sum_i w_i theta^(i),
// so the coefficients of (reference, copy 1, .., copy m) are
//   c = (beta, (1 - beta) w_1, .., (1 - beta) w_m).
//
// Errors: CallerError where a KL strength lies outside its range.
// Thread safety: plain values and pure functions.
#pragma once

#include <compare>
#include <cstddef>
#include <string_view>
#include <vector>

#include "moft/core/field_attributes.h"
#include "moft/weightings/weighting.h"

namespace moft {

// How a KL strength becomes a mixing amount.
//   kSoftmdp: (alpha - alpha_min) / (alpha (1 - alpha_min)), equation 4; the
//             exact one for optimal policies. 0 at alpha_min, 1 at 1.
//   kLinear:  alpha, appendix C.1; mixes the reference in at alpha_min too.
enum class FMix { kSoftmdp, kLinear };
constexpr auto enum_names(FMix) {
  return EnumNames<FMix, 2>{{
      {FMix::kSoftmdp, "softmdp"},
      {FMix::kLinear, "linear"},
  }};
}

// The KL strengths that a policy answers to: [alpha_min, 1].
class KlRange {
 public:
  // alpha_min in [0, 1). At alpha_min = 0 softmdp jumps from 0 to 1, so such
  // a range (training without any KL) answers to alpha = 0 only.
  explicit KlRange(double alpha_min = 0.0, FMix f_mix = FMix::kSoftmdp);
  // A policy trained at one alpha: alpha_min = alpha, so beta = 0 there.
  static KlRange fixed(double alpha) { return KlRange(alpha); }

  double alpha_min() const { return alpha_min_; }
  FMix f_mix() const { return f_mix_; }

  // CallerError unless alpha is one that this range answers to.
  void check(double alpha, std::string_view place = "alpha") const;
  // beta = f_mix(alpha), in [0, 1]; checks alpha.
  double mixing_amount(double alpha) const;
  // The alpha whose mixing amount is beta; softmdp:
  // alpha_min / (alpha_min beta + 1 - beta). beta in [f_mix(alpha_min), 1].
  double alpha_of(double beta) const;

  bool operator==(const KlRange&) const = default;

 private:
  double alpha_min_;
  FMix f_mix_;
};

// A request's two knobs.
struct Steering {
  Weighting w;
  double alpha = 0.0;  // KL strength

  bool operator==(const Steering&) const = default;
  auto operator<=>(const Steering&) const = default;
};

// c_0 for the frozen reference, c_1..c_m for the copies; non-negative, sum 1
// to rounding. Exactly one-hot when w is a corner and beta is 0 (copy i) and
// when beta is 1 (the reference).
class Coefficients {
 public:
  Coefficients() = default;
  Coefficients(double beta, const Weighting& w);
  // The frozen reference, of any number of copies: c = (1, 0, .., 0), and
  // parameters outside S as the reference has them. (A steering with beta 1 has
  // the same c, but the policy's shared parameters.)
  static Coefficients frozen_reference();
  // From values(), to the last bit.
  static Coefficients of(std::vector<double> values);

  bool is_frozen_reference() const { return frozen_reference_; }
  std::size_t copies() const { return values_.size() - 1; }
  double reference() const { return values_[0]; }
  double copy(std::size_t i) const {
    return frozen_reference_ ? 0.0 : values_[i + 1];
  }
  // (c_0, c_1, .., c_m); of the frozen reference c_0 alone.
  const std::vector<double>& values() const { return values_; }

  bool operator==(const Coefficients&) const = default;
  auto operator<=>(const Coefficients&) const = default;

 private:
  std::vector<double> values_;
  bool frozen_reference_ = false;
};

// Checks steering.alpha against the range.
Coefficients coefficients(const Steering& steering, const KlRange& range);

}  // namespace moft
