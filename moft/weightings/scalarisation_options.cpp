// Scalarisations from a recipe's settings.
#include "moft/weightings/scalarisation_options.h"

#include <algorithm>
#include <limits>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

// [m]: the named numbers, `otherwise` for the other objectives.
std::vector<double> by_objective(
    const std::map<std::string, double>& given,
    double otherwise,
    const std::vector<std::string>& names,
    const std::string& place) {
  std::vector<double> values(names.size(), otherwise);
  for (const auto& [name, value] : given) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      throw_caller_error(
          "{} names {}, which is not an objective; the objectives are {}",
          place,
          quote_text(name),
          join(names, ", "));
    }
    values[static_cast<std::size_t>(found - names.begin())] = value;
  }
  return values;
}

}  // namespace

void ScalarisationOptions::check(const std::string& path) const {
  const bool constrained = kind == ScalarisationKind::kConstraint;
  if (!reference_point.empty() && (linear() || constrained)) {
    throw_caller_error(
        "{}reference_point is given but {}kind is {}, which has none; give "
        "kind: chebyshev, smooth_minimum or nash, or leave reference_point out",
        path,
        path,
        enum_name(kind));
  }
  if (constrained == !constraints.empty()) return;
  if (constrained) {
    throw_caller_error(
        "{}constraints is empty but {}kind is constraint; give the least "
        "reward of at least one objective",
        path,
        path);
  }
  throw_caller_error(
      "{}constraints is given but {}kind is {}; give kind: constraint or leave "
      "constraints out",
      path,
      path,
      enum_name(kind));
}

std::unique_ptr<Scalarisation> make_scalarisation(
    const ScalarisationOptions& options,
    const std::vector<std::string>& names,
    const std::string& place) {
  const auto reference = [&](double otherwise) {
    return by_objective(
        options.reference_point, otherwise, names, place + ".reference_point");
  };
  switch (options.kind) {
    case ScalarisationKind::kLinear:
      break;
    case ScalarisationKind::kChebyshev:
      return std::make_unique<ChebyshevScalarisation>(reference(1.0));
    case ScalarisationKind::kSmoothMinimum:
      return std::make_unique<SmoothMinimumScalarisation>(
          reference(1.0), options.smoothing);
    case ScalarisationKind::kNash:
      return std::make_unique<NashScalarisation>(reference(0.0), options.floor);
    case ScalarisationKind::kConstraint:
      return std::make_unique<ConstraintScalarisation>(
          by_objective(
              options.constraints,
              -std::numeric_limits<double>::infinity(),
              names,
              place + ".constraints"),
          options.penalty);
  }
  return std::make_unique<LinearScalarisation>();
}

}  // namespace moft
