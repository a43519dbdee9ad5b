// Scalarisations as recipes describe them (training.scalarisation).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "moft/core/fields.h"
#include "moft/weightings/scalarisation.h"

namespace moft {

enum class ScalarisationKind {
  kLinear,
  kChebyshev,
  kSmoothMinimum,
  kNash,
  kConstraint,
};
constexpr auto enum_names(ScalarisationKind) {
  return EnumNames<ScalarisationKind, 5>{{
      {ScalarisationKind::kLinear, "linear"},
      {ScalarisationKind::kChebyshev, "chebyshev"},
      {ScalarisationKind::kSmoothMinimum, "smooth_minimum"},
      {ScalarisationKind::kNash, "nash"},
      {ScalarisationKind::kConstraint, "constraint"},
  }};
}

// scalarisation.h
enum class ScalarisationCriterion {
  kEsr,  // the expected scalarised reward
  kSer,  // the scalarised expected reward
};
constexpr auto enum_names(ScalarisationCriterion) {
  return EnumNames<ScalarisationCriterion, 2>{{
      {ScalarisationCriterion::kEsr, "esr"},
      {ScalarisationCriterion::kSer, "ser"},
  }};
}

struct ScalarisationOptions {
  ScalarisationKind kind = ScalarisationKind::kLinear;
  ScalarisationCriterion criterion = ScalarisationCriterion::kEsr;
  std::map<std::string, double> reference_point;
  double smoothing = 0.1;
  double floor = 0.05;
  std::map<std::string, double> constraints;
  double penalty = 5.0;

  template <class V>
  void fields(V& v) {
    v("kind",
      kind,
      Help{"how a weighting w makes one number of the mapped rewards R; "
           "linear: w.R, chebyshev: the least of w_i (R_i - reference_i), "
           "smooth_minimum: a smooth form of it, nash: the sum of w_i "
           "log(R_i - reference_i), constraint: w.R minus a penalty for "
           "missed constraints"});
    v("criterion",
      criterion,
      Help{"esr: the mean over completions of the scalarised rewards, ser: "
           "the scalarised mean rewards of a prompt's completions, "
           "linearised; the same for kind: linear"});
    v("reference_point",
      reference_point,
      Help{
          "by objective name; where left out, 1 with chebyshev and "
          "smooth_minimum, 0 with nash",
          "mapped reward"});
    v("smoothing",
      smoothing,
      Help{"smooth_minimum: towards 0 it becomes chebyshev", "mapped reward"},
      above(0));
    v("floor",
      floor,
      Help{
          "nash: below this the logarithm is continued by its tangent",
          "mapped reward"},
      above(0));
    v("constraints",
      constraints,
      Help{
          "constraint: the least mean reward by objective name",
          "mapped reward"});
    v("penalty",
      penalty,
      Help{"constraint: what is subtracted per unit of reward that misses a "
           "constraint"},
      at_least(0));
  }

  void check(const std::string& path) const;

  bool linear() const { return kind == ScalarisationKind::kLinear; }
  // The group's mean rewards are scalarised, and not each row's.
  bool of_means() const {
    return criterion == ScalarisationCriterion::kSer && !linear();
  }
};

// The scalarisation of the objectives `names`, in that order. CallerError for a
// name that is not an objective; `place` opens the message
// ("training.scalarisation").
std::unique_ptr<Scalarisation> make_scalarisation(
    const ScalarisationOptions& options,
    const std::vector<std::string>& names,
    const std::string& place);

}  // namespace moft
