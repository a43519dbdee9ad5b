// The gradient of an ENUM-1 policy's value against finite differences.
#include "tests/trained/enum_gradient.h"

#include <cmath>

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "verify/enum_policy.h"

namespace moft::exact {
namespace {

const Steering kSteering{Weighting({0.2, 0.5, 0.3}), 0.3};

class EnumPolicies
    : public testing::TestWithParam<std::pair<ModelFamily, EnumVariant>> {
 protected:
  EnumPolicy make() const {
    return EnumPolicy(enum_policy_options(GetParam().first, GetParam().second));
  }
};

// Along the gradient and along noise; central differences in float32.
TEST_P(EnumPolicies, GradientIsThatOfFiniteDifferences) {
  EnumPolicy policy = make();
  policy.perturb(0.5, 7);
  const Gradients gradient = value_gradient(policy, {{kSteering, 1.0}});
  double square = 0.0;
  for (const auto& [name, tensor] : gradient)
    square += tensor.square().sum().item<double>();
  ASSERT_GT(square, 1e-6);
  const auto shifted = [&](double length) {
    at::NoGradGuard no_gradient;
    Conditioning& conditioning = *policy.policy().conditioning();
    for (const TrainedTensor& entry : conditioning.trained()) {
      const auto found = gradient.find(entry.name);
      if (found != gradient.end())
        entry.master.add_(found->second.to(at::kFloat), length);
    }
    conditioning.masters_changed();
    return policy.score(kSteering).value;
  };
  const double step = 0.001 / std::sqrt(square);
  const double above = shifted(step);
  const double below = shifted(-2 * step);
  EXPECT_NEAR((above - below) / (2 * step) / square, 1.0, 1e-3);
}

using enum ModelFamily;
using enum EnumVariant;

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    EnumPolicies,
    testing::Values(
        std::pair(kLlama, kFull),
        std::pair(kLlama, EnumVariant::kAttention),
        std::pair(kLlama, EnumVariant::kLogits),
        std::pair(kLlama, EnumVariant::kPattern),
        std::pair(kLlama, EnumVariant::kLora),
        std::pair(kLlama, EnumVariant::kPrompt),
        std::pair(kT5, kFull),
        std::pair(kT5, EnumVariant::kAttention),
        std::pair(kT5, EnumVariant::kLogits),
        std::pair(kT5, EnumVariant::kLora),
        std::pair(kT5, EnumVariant::kAttentionPrompt)),
    [](const auto& kind) {
      std::string name =
          family_name(kind.param.first) + "_" + variant_name(kind.param.second);
      for (char& sign : name)
        if (sign == ' ') sign = '_';
      return name;
    });

}  // namespace
}  // namespace moft::exact
