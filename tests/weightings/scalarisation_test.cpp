// Value and gradient of scalarisations.
#include "moft/weightings/scalarisation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/weightings/scalarisation_options.h"

namespace moft {
namespace {

using Vector = std::vector<double>;

const Vector kRewards{0.5, -2.0, 3.0};
const Vector kWeights{0.2, 0.5, 0.3};
const double kFree = -std::numeric_limits<double>::infinity();

TEST(Scalarisation, LinearIsTheWeightedSum) {
  const LinearScalarisation linear;
  EXPECT_EQ(linear.value(kRewards, kWeights), 0.2 * 0.5 - 0.5 * 2 + 0.3 * 3);
  EXPECT_EQ(linear.gradient(kRewards, kWeights), kWeights);
}

struct Named {
  std::string name;
  std::shared_ptr<const Scalarisation> f;
};

std::vector<Named> all_kinds() {
  const Vector reference{1.0, 0.5, 4.0};
  return {
      {"linear", std::make_shared<LinearScalarisation>()},
      {"chebyshev", std::make_shared<ChebyshevScalarisation>(reference)},
      {"smooth_minimum",
       std::make_shared<SmoothMinimumScalarisation>(reference, 0.3)},
      {"nash",
       std::make_shared<NashScalarisation>(Vector{0.1, -2.5, 3.5}, 0.05)},
      {"constraint",
       std::make_shared<ConstraintScalarisation>(
           Vector{0.7, kFree, 1.0}, 4.0)}};
}

TEST(Scalarisation, GradientAgreesWithFiniteDifferences) {
  const double step = 1e-4;
  for (const auto& [name, f] : all_kinds()) {
    const Vector gradient = f->gradient(kRewards, kWeights);
    for (std::size_t i = 0; i < kRewards.size(); ++i) {
      Vector up = kRewards;
      Vector down = kRewards;
      up[i] += step;
      down[i] -= step;
      const double slope =
          (f->value(up, kWeights) - f->value(down, kWeights)) / (2 * step);
      EXPECT_NEAR(gradient[i], slope, 1e-7) << name << " " << i;
    }
  }
}

TEST(Scalarisation, IsHomogeneousInTheWeights) {
  for (const auto& [name, f] : all_kinds()) {
    Vector halved = kWeights;
    for (double& w : halved)
      w *= 0.5;
    EXPECT_EQ(f->value(kRewards, halved), 0.5 * f->value(kRewards, kWeights))
        << name;
    const Vector none(3, 0.0);
    EXPECT_EQ(f->value(kRewards, none), 0.0) << name;
    EXPECT_EQ(f->gradient(kRewards, none), none) << name;
  }
}

TEST(Scalarisation, RefusesOtherSizes) {
  const Vector two{0.5, 0.5};
  for (const auto& [name, f] : all_kinds()) {
    EXPECT_THROW(f->value(kRewards, two), CallerError) << name;
    EXPECT_THROW(f->gradient(kRewards, two), CallerError) << name;
    if (name == "linear") continue;
    EXPECT_THROW(f->value(two, two), CallerError) << name;
    EXPECT_THROW(f->gradient(two, two), CallerError) << name;
  }
}

TEST(Scalarisation, RefusesParametersOutsideTheirRange) {
  EXPECT_THROW(SmoothMinimumScalarisation({1.0}, 0.0), CallerError);
  EXPECT_THROW(NashScalarisation({0.0}, 0.0), CallerError);
  EXPECT_THROW(ConstraintScalarisation({0.5}, -1.0), CallerError);
}

TEST(Scalarisation, ChebyshevIsTheWorstWeightedDistance) {
  const ChebyshevScalarisation f({1.0, 1.0, 1.0});
  EXPECT_EQ(f.value(Vector{0.5, 0.9, 0.2}, Vector{0.5, 0.4, 0.1}), -0.25);
  EXPECT_EQ(
      f.gradient(Vector{0.5, 0.9, 0.2}, Vector{0.5, 0.4, 0.1}),
      (Vector{0.5, 0.0, 0.0}));
  // An objective without weight does not count, also beyond the reference.
  EXPECT_EQ(f.value(Vector{1.5, 0.0, 0.0}, Vector{1.0, 0.0, 0.0}), 0.5);
}

// The order of the objectives must not decide.
TEST(Scalarisation, KinksShareTheGradient) {
  const ChebyshevScalarisation chebyshev({1.0, 1.0});
  EXPECT_EQ(
      chebyshev.gradient(Vector{0.25, 0.25}, Vector{0.5, 0.5}),
      (Vector{0.25, 0.25}));
  const ConstraintScalarisation constraint({kFree, 0.5}, 8.0);
  EXPECT_EQ(
      constraint.gradient(Vector{0.25, 0.5}, Vector{0.75, 0.25}),
      (Vector{0.75, 4.25}));
}

TEST(Scalarisation, SmoothMinimumGoesToTheMinimum) {
  const Vector reference{1.0, 0.5, 4.0};
  const ChebyshevScalarisation minimum(reference);
  const double exact = minimum.value(kRewards, kWeights);
  for (const double t : {0.5, 0.1, 0.02, 1e-3, 1e-6}) {
    const SmoothMinimumScalarisation f(reference, t);
    const double value = f.value(kRewards, kWeights);
    EXPECT_LE(value, exact) << t;
    EXPECT_GE(value, exact - t * std::log(3.0) - 1e-12) << t;
  }
  const SmoothMinimumScalarisation sharp(reference, 1e-6);
  EXPECT_EQ(
      sharp.gradient(kRewards, kWeights), minimum.gradient(kRewards, kWeights));
  // Far from the reference, where exp() alone would overflow.
  EXPECT_EQ(sharp.value(Vector{-1e6, 0, 0}, Vector{1.0, 0, 0}), -1e6 - 1);
}

TEST(Scalarisation, NashIsContinuedByItsTangent) {
  const NashScalarisation f({0.0}, 0.25);
  const Vector one{1.0};
  EXPECT_EQ(f.value(Vector{0.5}, one), std::log(0.5));
  EXPECT_EQ(f.gradient(Vector{0.5}, one), Vector{2.0});
  EXPECT_EQ(f.value(Vector{0.25}, one), std::log(0.25));
  EXPECT_NEAR(f.value(Vector{-0.25}, one), std::log(0.25) - 2.0, 1e-15);
  EXPECT_EQ(f.gradient(Vector{-0.25}, one), Vector{4.0});
}

TEST(Scalarisation, ConstraintChargesWhatIsMissing) {
  const ConstraintScalarisation f({kFree, 0.75}, 8.0);
  const Vector w{1.0, 0.0};
  EXPECT_EQ(f.value(Vector{0.5, 0.8}, w), 0.5);
  EXPECT_EQ(f.value(Vector{0.5, 0.5}, w), 0.5 - 8 * 0.25);
  EXPECT_EQ(f.gradient(Vector{0.5, 0.5}, w), (Vector{1.0, 8.0}));
}

// ---- optima over the mixtures of three outputs ------------------------------

using Outputs = std::vector<Vector>;

struct Best {
  double value = kFree;
  Vector mixture;
};

// `score` of every mixture in steps of 1 / 100.
template <class Score>
Best best_mixture(const Score& score) {
  Best best;
  for (int a = 0; a <= 100; ++a) {
    for (int b = 0; a + b <= 100; ++b) {
      const Vector p{a / 100.0, b / 100.0, (100 - a - b) / 100.0};
      const double value = score(p);
      if (value > best.value + 1e-12) best = {value, p};
    }
  }
  return best;
}

// f of the expected rewards.
double ser(
    const Scalarisation& f,
    const Outputs& outputs,
    const Vector& w,
    const Vector& p) {
  Vector mean(w.size(), 0.0);
  for (std::size_t y = 0; y < outputs.size(); ++y)
    for (std::size_t i = 0; i < w.size(); ++i)
      mean[i] += p[y] * outputs[y][i];
  return f.value(mean, w);
}

// The expected f of the rewards.
double esr(
    const Scalarisation& f,
    const Outputs& outputs,
    const Vector& w,
    const Vector& p) {
  double mean = 0.0;
  for (std::size_t y = 0; y < outputs.size(); ++y)
    mean += p[y] * f.value(outputs[y], w);
  return mean;
}

void expect_best(const Best& best, double value, const Vector& mixture) {
  EXPECT_NEAR(best.value, value, 1e-9);
  for (std::size_t y = 0; y < mixture.size(); ++y)
    EXPECT_NEAR(best.mixture[y], mixture[y], 1e-12) << y;
}

const Outputs kCavedFront{{1.0, 0.0}, {0.0, 1.0}, {0.4, 0.4}};

// Row 136 of docs/paper.md: of expected rewards the two corners are mixed, of
// each answer the compromise is taken, and no weighted sum finds it.
TEST(ScalarisationOptima, OfACavedFrontAreMixedOrNotByTheCriterion) {
  const ChebyshevScalarisation minimum({0.0, 0.0});
  const Vector ones{1.0, 1.0};
  expect_best(
      best_mixture(
          [&](const Vector& p) { return ser(minimum, kCavedFront, ones, p); }),
      0.5,
      {0.5, 0.5, 0.0});
  expect_best(
      best_mixture(
          [&](const Vector& p) { return esr(minimum, kCavedFront, ones, p); }),
      0.4,
      {0.0, 0.0, 1.0});
  const LinearScalarisation linear;
  for (int k = 0; k <= 1000; ++k) {
    const Vector w{1 - k / 1000.0, k / 1000.0};
    EXPECT_LT(
        linear.value(kCavedFront[2], w),
        std::max(
            linear.value(kCavedFront[0], w), linear.value(kCavedFront[1], w)))
        << k;
  }
}

// Section 6.2's example: the third output, log(3/4) + log(3/4).
TEST(ScalarisationOptima, NashOfTheCounterexampleIsTheThirdOutput) {
  const Outputs outputs{{1.0, 0.0}, {0.0, 1.0}, {0.75, 0.75}};
  const NashScalarisation nash({0.0, 0.0}, 0.01);
  const Vector ones{1.0, 1.0};
  for (const auto& score : {ser, esr}) {
    expect_best(
        best_mixture(
            [&](const Vector& p) { return score(nash, outputs, ones, p); }),
        -0.575364145,
        {0.0, 0.0, 1.0});
  }
}

// Maximise the first reward where the second is at least .6.
TEST(ScalarisationOptima, OfAConstraintMeetIt) {
  const ConstraintScalarisation f({kFree, 0.6}, 3.0);
  expect_best(
      best_mixture([&](const Vector& p) {
        return ser(f, kCavedFront, {1.0, 0.0}, p);
      }),
      0.4,
      {0.4, 0.6, 0.0});
}

// ---- from a recipe ---------------------------------------------------------

ScalarisationOptions options_of(ScalarisationKind kind) {
  ScalarisationOptions options;
  options.kind = kind;
  return options;
}

double value_of(
    const ScalarisationOptions& options, const Vector& r, const Vector& w) {
  return make_scalarisation(options, {"a", "b"}, "s")->value(r, w);
}

TEST(ScalarisationOptions, NameTheirObjectives) {
  ScalarisationOptions options = options_of(ScalarisationKind::kChebyshev);
  options.reference_point = {{"b", 2.0}};
  EXPECT_EQ(value_of(options, {0.5, 0.5}, {0.5, 0.5}), -0.75);
  options.reference_point = {{"c", 2.0}};
  EXPECT_THROW(make_scalarisation(options, {"a", "b"}, "s"), CallerError);
  options = options_of(ScalarisationKind::kConstraint);
  options.constraints = {{"b", 0.75}};
  options.penalty = 8.0;
  EXPECT_EQ(value_of(options, {0.5, 0.5}, {1.0, 0.0}), -1.5);
  EXPECT_EQ(
      value_of(options_of(ScalarisationKind::kNash), {0.5, 1.0}, {0.5, 0.5}),
      0.5 * std::log(0.5));
  EXPECT_EQ(value_of({}, {0.5, 1.0}, {0.5, 0.5}), 0.75);
}

TEST(ScalarisationOptions, ConstraintsComeWithTheirKind) {
  EXPECT_NO_THROW(ScalarisationOptions().check("s."));
  ScalarisationOptions options = options_of(ScalarisationKind::kConstraint);
  EXPECT_THROW(options.check("s."), CallerError);
  options.constraints = {{"b", 0.75}};
  EXPECT_NO_THROW(options.check("s."));
  options.kind = ScalarisationKind::kNash;
  EXPECT_THROW(options.check("s."), CallerError);
}

// A point that nothing reads is refused, and not passed over.
TEST(ScalarisationOptions, AReferencePointNeedsAKindThatHasOne) {
  for (const auto& [kind, name] : enum_names(ScalarisationKind{})) {
    ScalarisationOptions options = options_of(kind);
    if (kind == ScalarisationKind::kConstraint)
      options.constraints = {{"a", 0.5}};
    options.reference_point = {{"a", 0.5}};
    if (kind == ScalarisationKind::kLinear ||
        kind == ScalarisationKind::kConstraint) {
      EXPECT_THROW(options.check("s."), CallerError) << name;
    } else {
      EXPECT_NO_THROW(options.check("s.")) << name;
    }
  }
}

TEST(ScalarisationOptions, LinearIsTheSameUnderBothCriteria) {
  ScalarisationOptions options;
  options.criterion = ScalarisationCriterion::kSer;
  EXPECT_FALSE(options.of_means());
  options.kind = ScalarisationKind::kNash;
  EXPECT_TRUE(options.of_means());
}

}  // namespace
}  // namespace moft
