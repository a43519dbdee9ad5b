// Gradients are compared with autograd in double on the written-out formula.
#include "moft/conditioning/conditioning.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "moft/core/errors.h"

#include "tests/support/tensors.h"

namespace moft {
namespace {

using test::distance;
using test::normal_tensor;

constexpr std::int64_t kWidth = 6;
constexpr std::int64_t kHidden = 9;
const std::vector<std::string> kObjectives{"short", "kind"};

Coefficients mixed(double beta, std::vector<double> w) {
  return Coefficients(beta, Weighting(std::move(w)));
}

// y = W2 tanh(W1 x): layer 0 is a "gate", layer 1 an "up".
struct TwoLayers {
  TwoLayers() {
    const auto add = [&](const char* name,
                         const char* kind,
                         std::int64_t layer,
                         SteeredLinear& linear,
                         at::Tensor weight) {
      auto parameter = std::make_shared<SteeredParameter>(
          std::string(name) + ".weight", std::move(weight));
      linear = SteeredLinear(parameter);
      steerable.parameters.push_back(parameter);
      steerable.linears.push_back({name, kind, layer, &linear});
    };
    add("one", "gate", 0, first, normal_tensor({kHidden, kWidth}, 1, 0.5));
    add("two", "up", 1, second, normal_tensor({kWidth, kHidden}, 2, 0.5));
    steerable.layers = 2;
  }

  at::Tensor operator()(const at::Tensor& x, const RowSteering& c) const {
    return second.forward(at::tanh(first.forward(x, c)), c);
  }

  SteeredLinear first;
  SteeredLinear second;
  Steerable steerable;
};

void perturb(Conditioning& conditioning) {
  at::NoGradGuard no_gradient;
  std::uint32_t row = 100;
  for (const TrainedTensor& entry : conditioning.trained()) {
    entry.master.add_(normal_tensor(entry.master.sizes().vec(), row++, 0.3));
  }
  conditioning.masters_changed();
}

// Copy 0 alone took part in the step.
void expect_only_copy_0(const Conditioning& conditioning) {
  const auto gradients = conditioning.gradients();
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const TrainedTensor& entry = conditioning.trained()[i];
    EXPECT_EQ(gradients[i].tensor.defined(), entry.copy == 0) << entry.name;
  }
}

at::Tensor double_leaf(const at::Tensor& value) {
  return value.detach().to(at::kDouble).clone().set_requires_grad(true);
}

// What one part of a step sees: inputs, and where its outputs are pushed.
struct Part {
  Coefficients c;
  at::Tensor x;
  at::Tensor push;
};

std::vector<Part> parts() {
  std::vector<Part> result;
  const std::vector<Coefficients> steerings{
      mixed(0.1, {0.25, 0.75}), mixed(0.0, {1.0, 0.0}), mixed(0.3, {0.5, 0.5})};
  std::uint32_t row = 200;
  for (const Coefficients& c : steerings) {
    const at::Tensor x = normal_tensor({4, kWidth}, row++);
    result.push_back({c, x, normal_tensor({4, kWidth}, row++)});
  }
  return result;
}

using Slices = std::vector<std::vector<Part>>;

// The step's gradients in this order, the steerings of `noted` noted; the first
// coefficient of each is that of every other call.
std::vector<at::Tensor> sums_of(
    const TwoLayers& model,
    Conditioning& conditioning,
    const Slices& slices,
    const Slices& noted) {
  std::vector<Coefficients> steerings;
  for (const auto& slice : noted)
    for (const Part& part : slice)
      steerings.push_back(part.c);
  conditioning.zero_gradient();
  conditioning.note_steerings(steerings);
  for (const auto& slice : slices) {
    for (const Part& part : slice) {
      conditioning.begin_gradient(part.c);
      (model(part.x, RowSteering::uniform(part.c)) * part.push)
          .sum()
          .backward();
      conditioning.end_gradient(part.c);
    }
    conditioning.end_slice();
  }
  std::vector<at::Tensor> sums;
  for (const ScaledGradient& gradient : conditioning.gradients()) {
    sums.push_back(
        gradient.tensor.defined() ? gradient.tensor.clone() : at::Tensor());
  }
  return sums;
}

// What another process would compute of each slice, added in order.
void expect_slices_to_add_up(
    const TwoLayers& model, Conditioning& conditioning, const Slices& slices) {
  std::vector<at::Tensor> by_hand;
  for (const auto& slice : slices) {
    const auto sums = sums_of(model, conditioning, {slice}, slices);
    by_hand.resize(sums.size());
    for (std::size_t i = 0; i < sums.size(); ++i) {
      if (!sums[i].defined()) continue;
      by_hand[i] = by_hand[i].defined() ? by_hand[i] + sums[i] : sums[i];
    }
  }
  const auto whole = sums_of(model, conditioning, slices, slices);
  ASSERT_EQ(whole.size(), by_hand.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    ASSERT_EQ(whole[i].defined(), by_hand[i].defined()) << i;
    if (!whole[i].defined()) continue;
    EXPECT_TRUE(test::same_bits(whole[i], by_hand[i])) << i;
  }
}

// Slices of several steerings, of one, and of one without the second copy.
Slices some_slices() {
  const auto p = parts();
  return {{p[0], p[1]}, {p[2], p[2]}, {p[1]}, {p[1], p[0], p[2]}};
}

class FullCopies : public testing::Test {
 protected:
  FullCopies() { perturb(conditioning_); }

  static ConditioningOptions options() {
    ConditioningOptions options;
    options.steered_set = SteeredSet::kFull;
    return options;
  }

  void step(const std::vector<Part>& batch) {
    conditioning_.zero_gradient();
    for (const Part& part : batch) {
      conditioning_.begin_gradient(part.c);
      (model_(part.x, RowSteering::uniform(part.c)) * part.push)
          .sum()
          .backward();
      conditioning_.end_gradient(part.c);
    }
  }

  // In the order of trained(): parameter by parameter, copy by copy.
  std::vector<at::Tensor> expected(const std::vector<Part>& batch) {
    std::vector<at::Tensor> leaves;
    for (const auto& parameter : model_.steerable.parameters) {
      for (const at::Tensor& copy : parameter->copies())
        leaves.push_back(double_leaf(copy));
    }
    for (const Part& part : batch) {
      std::vector<at::Tensor> weights;
      for (std::size_t p = 0; p < 2; ++p) {
        weights.push_back(
            model_.steerable.parameters[p]->reference().to(at::kDouble) *
                part.c.reference() +
            leaves[2 * p] * part.c.copy(0) +
            leaves[2 * p + 1] * part.c.copy(1));
      }
      const at::Tensor hidden =
          at::tanh(at::linear(part.x.to(at::kDouble), weights[0]));
      (at::linear(hidden, weights[1]) * part.push).sum().backward();
    }
    std::vector<at::Tensor> gradients;
    for (const at::Tensor& leaf : leaves)
      gradients.push_back(leaf.grad());
    return gradients;
  }

  void expect_gradients(const std::vector<Part>& batch) {
    step(batch);
    const auto wanted = expected(batch);
    const auto& trained = conditioning_.trained();
    const auto gradients = conditioning_.gradients();
    ASSERT_EQ(trained.size(), wanted.size());
    ASSERT_EQ(gradients.size(), wanted.size());
    for (std::size_t i = 0; i < trained.size(); ++i) {
      ASSERT_TRUE(gradients[i].tensor.defined()) << trained[i].name;
      const at::Tensor gradient =
          gradients[i].tensor * gradients[i].coefficient;
      EXPECT_LT(distance(gradient, wanted[i]), 1e-5) << trained[i].name;
    }
  }

  TwoLayers model_;
  std::unique_ptr<Conditioning> installed_ =
      install_conditioning(model_.steerable, options(), kObjectives, 1);
  Conditioning& conditioning_ = *installed_;
};

TEST_F(FullCopies, TheGradientOfACopyIsItsCoefficientTimesG) {
  expect_gradients({parts()[0]});
}

TEST_F(FullCopies, EqualSteeringsInAStepAddUp) {
  auto twice = parts()[1];
  twice.c = parts()[0].c;
  expect_gradients({parts()[0], twice});
}

TEST_F(FullCopies, SeveralSteeringsInAStepAddUpPerCopy) {
  expect_gradients(parts());
  const auto all = parts();
  expect_gradients({all[1], all[0], all[1]});
}

TEST_F(FullCopies, SlicesAddUpInOrderToTheLastBit) {
  expect_slices_to_add_up(model_, conditioning_, some_slices());
  // One steering in all of them: the pairs (G, c_i).
  auto other = parts()[1];
  other.c = parts()[0].c;
  const Slices same{{parts()[0], other}, {other}, {parts()[0]}};
  expect_slices_to_add_up(model_, conditioning_, same);
  const auto gradients = conditioning_.gradients();
  for (std::size_t i = 0; i < gradients.size(); ++i)
    EXPECT_EQ(gradients[i].coefficient, other.c.copy(i % 2)) << i;
}

// Parameters that all weightings share.
TEST(SharedParameters, SlicesAddUpInOrderToTheLastBit) {
  TwoLayers model;
  ConditioningOptions options;
  options.steered_set = SteeredSet::kPattern;
  options.pattern = "two";
  const auto conditioning =
      install_conditioning(model.steerable, options, kObjectives, 1);
  perturb(*conditioning);
  expect_slices_to_add_up(model, *conditioning, some_slices());
}

TEST_F(FullCopies, ACopyWithoutWeightGetsNoGradient) {
  step({parts()[1]});  // w = (1, 0)
  expect_only_copy_0(conditioning_);
  Part reference = parts()[0];
  reference.c = Coefficients::frozen_reference();
  step({reference, parts()[1]});
  expect_only_copy_0(conditioning_);
}

// Fixed for a job, by the steerings that it expects: more than the m + 1
// sources take the wide product, in bf16 none does.
TEST_F(FullCopies, TheWayFollowsFromTheSteeringsExpected) {
  const auto way = [&] { return model_.steerable.parameters[0]->way(); };
  EXPECT_EQ(way(), SteeringWay::kMixed);
  conditioning_.expect_steerings(3);
  EXPECT_EQ(way(), SteeringWay::kMixed);
  conditioning_.expect_steerings(4);
  EXPECT_EQ(way(), SteeringWay::kWide);
  EXPECT_EQ(conditioning_.steering_way(4), "wide product");
  // One matrix that is rounded is enough (T5 keeps some in float32).
  model_.steerable.parameters[1]->set_storage(kernels::Storage::kBFloat16);
  conditioning_.expect_steerings(4);
  EXPECT_EQ(way(), SteeringWay::kMixed);
  EXPECT_EQ(conditioning_.steering_way(4), "mixed weights");
}

TEST_F(FullCopies, CountsAndNames) {
  const ParameterCounts counts = conditioning_.counts();
  EXPECT_EQ(counts.model, 2 * kHidden * kWidth);
  EXPECT_EQ(counts.steered, counts.model);
  EXPECT_EQ(counts.trained, 2 * counts.model);
  const std::vector<std::string> names{
      "short/one.weight",
      "kind/one.weight",
      "short/two.weight",
      "kind/two.weight"};
  EXPECT_EQ(conditioning_.tensor_names(), names);
}

TEST_F(FullCopies, MergedAtACornerIsThatCopy) {
  const auto merged =
      conditioning_.merged(Coefficients(0.0, Weighting::corner(2, 1)));
  ASSERT_EQ(merged.size(), 2U);
  for (const auto& parameter : model_.steerable.parameters) {
    const at::Tensor& value = merged.at(parameter->name());
    EXPECT_TRUE(test::same_bits(value, parameter->copies()[1]));
  }
}

ConditioningOptions lora_options() {
  ConditioningOptions options;
  options.lora.rank = 3;
  options.lora.scale = 1.5;
  return options;
}

// One pass whose rows carry three steerings.
TEST(LoraAdapters, GradientsEqualTheFormulaRowByRow) {
  TwoLayers model;
  const auto installed =
      install_conditioning(model.steerable, lora_options(), kObjectives, 1);
  Conditioning& conditioning = *installed;
  perturb(conditioning);
  const auto batch = parts();
  std::vector<Coefficients> steerings;
  std::vector<std::int64_t> rows;
  std::vector<at::Tensor> xs;
  std::vector<at::Tensor> pushes;
  for (const Part& part : batch) {
    rows.insert(rows.end(), 4, static_cast<std::int64_t>(steerings.size()));
    steerings.push_back(part.c);
    xs.push_back(part.x);
    pushes.push_back(part.push);
  }
  conditioning.zero_gradient();
  conditioning.note_steerings(steerings);
  const auto many = RowSteering::per_row(steerings, rows, at::kCPU);
  (model(at::cat(xs), many) * at::cat(pushes)).sum().backward();

  // Per linear and objective: A [rank, in], then B^T [rank, out].
  const auto& trained = conditioning.trained();
  const auto gradients = conditioning.gradients();
  ASSERT_EQ(trained.size(), 8U);
  std::vector<at::Tensor> leaves;
  for (const TrainedTensor& entry : trained)
    leaves.push_back(double_leaf(entry.master));
  for (const Part& part : batch) {
    at::Tensor value = part.x.to(at::kDouble);
    for (std::size_t p = 0; p < 2; ++p) {
      at::Tensor weight =
          model.steerable.parameters[p]->reference().to(at::kDouble);
      for (std::size_t i = 0; i < 2; ++i) {
        const at::Tensor& down = leaves[4 * p + 2 * i];
        const at::Tensor& up = leaves[4 * p + 2 * i + 1];
        weight = weight + at::mm(up.t(), down) * (1.5 * part.c.copy(i));
      }
      value = at::linear(value, weight);
      if (p == 0) value = at::tanh(value);
    }
    (value * part.push).sum().backward();
  }
  for (std::size_t i = 0; i < trained.size(); ++i) {
    ASSERT_TRUE(gradients[i].tensor.defined()) << trained[i].name;
    EXPECT_EQ(gradients[i].coefficient, 1.0);
    EXPECT_LT(distance(gradients[i].tensor, leaves[i].grad()), 1e-5)
        << trained[i].name;
  }
}

TEST(LoraAdapters, SlicesAddUpInOrderToTheLastBit) {
  TwoLayers model;
  const auto conditioning =
      install_conditioning(model.steerable, lora_options(), kObjectives, 1);
  perturb(*conditioning);
  expect_slices_to_add_up(model, *conditioning, some_slices());
}

TEST(LoraAdapters, ACopyWithoutWeightGetsNoGradient) {
  TwoLayers model;
  const auto installed =
      install_conditioning(model.steerable, lora_options(), kObjectives, 1);
  Conditioning& conditioning = *installed;
  const Part part = parts()[1];
  conditioning.zero_gradient();
  conditioning.note_steerings({part.c});
  model(part.x, RowSteering::uniform(part.c)).sum().backward();
  expect_only_copy_0(conditioning);
}

TEST(LoraAdapters, LayersAndModulesChooseWhatIsAdapted) {
  TwoLayers model;
  ConditioningOptions options = lora_options();
  options.lora.layers = "1..1";
  const auto installed_upper =
      install_conditioning(model.steerable, options, kObjectives, 1);
  const Conditioning& upper = *installed_upper;
  EXPECT_EQ(model.steerable.first_steered_layer, 1);
  EXPECT_EQ(upper.counts().steered, 3 * (kHidden + kWidth));
  EXPECT_EQ(upper.tensor_names().at(1), std::string("short/two.lora_B.weight"));
  TwoLayers other;
  options.lora.layers = "0..0";
  options.lora.modules = {LinearKind::kUp};
  EXPECT_THROW(
      install_conditioning(other.steerable, options, kObjectives, 1),
      CallerError);
}

TEST(LoraAdapters, TensorsComeBackByName) {
  TwoLayers model;
  const auto installed =
      install_conditioning(model.steerable, lora_options(), kObjectives, 1);
  Conditioning& conditioning = *installed;
  perturb(conditioning);
  auto tensors = conditioning.tensors();
  EXPECT_EQ(
      tensors.at("kind/one.lora_B.weight").sizes().vec(),
      (std::vector<std::int64_t>{kHidden, 3}));
  TwoLayers other;
  const auto installed_loaded =
      install_conditioning(other.steerable, lora_options(), kObjectives, 2);
  Conditioning& loaded = *installed_loaded;
  loaded.load([&](const std::string& name, const std::vector<std::int64_t>&) {
    return tensors.at(name);
  });
  const auto c = mixed(0.0, {0.4, 0.6});
  for (const auto& [name, value] : conditioning.merged(c)) {
    EXPECT_TRUE(test::same_bits(loaded.merged(c).at(name), value)) << name;
  }
}

// Nothing is mixed, however many steerings there are.
TEST(NoCopies, SteerByThePromptOnly) {
  TwoLayers model;
  ConditioningOptions options;
  options.steered_set = SteeredSet::kNone;
  const auto installed =
      install_conditioning(model.steerable, options, kObjectives, 1);
  EXPECT_EQ(installed->steering_way(1), "prompt only");
  EXPECT_EQ(installed->steering_way(9), "prompt only");
}

}  // namespace
}  // namespace moft
