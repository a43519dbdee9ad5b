// The value network of both model families: which logits it reads, what it
// trains, and that its gradient is the derivative of its loss.
#include "moft/models/value_model.h"

#include <cstdlib>
#include <filesystem>

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "moft/conditioning/row_steering.h"
#include "moft/core/errors.h"
#include "moft/core/random.h"
#include "moft/models/load.h"

#include "tests/support/tiny_model.h"
#include "tests/support/tiny_t5.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

struct Kind {
  const char* name;
  bool t5;
  bool tied;
};

const std::vector<TokenIds> kPrompts = {{3, 9, 4}, {5}, {7, 7, 2, 11, 6}};

class ValueModels : public testing::TestWithParam<Kind> {
 protected:
  ValueModels() {
    std::string pattern =
        (fs::temp_directory_path() / "moft-value-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    if (GetParam().t5) {
      TinyT5Shape shape;
      shape.tied = GetParam().tied;
      shape.gated = !GetParam().tied;
      write_tiny_t5(folder_, shape);
    } else {
      TinyModel shape;
      shape.tied = GetParam().tied;
      write_tiny_model(folder_, shape);
    }
  }
  ~ValueModels() override { fs::remove_all(folder_); }

  std::shared_ptr<LanguageModel> load() const {
    return load_language_model(folder_).model;
  }

  fs::path folder_;
};

// Logits that predict the first token of a completion, [P, V].
at::Tensor first_logits(
    LanguageModel& model, const std::vector<TokenIds>& prompts) {
  const at::NoGradGuard no_gradient;
  ScoreBatch batch;
  batch.prompts = prompts;
  for (std::size_t p = 0; p < prompts.size(); ++p) {
    batch.completions.push_back({1});
    batch.prompt_of_row.push_back(static_cast<std::int64_t>(p));
  }
  return model.completion_logits(
      batch, RowSteering::uniform(Coefficients::frozen_reference()));
}

// Rows 59 and 39: at first the values are the model's own logits.
TEST_P(ValueModels, ReadTheLogitsOfTheFirstTokens) {
  const at::NoGradGuard no_gradient;
  const at::Tensor logits = first_logits(*load(), kPrompts);
  for (const std::int64_t outputs : {1, 2, 5}) {
    const HeadedModel value = make_value_model(load(), outputs);
    const at::Tensor values = value.forward(kPrompts);
    ASSERT_EQ(values.sizes(), at::IntArrayRef({3, outputs}));
    EXPECT_LT(
        (values - logits.narrow(1, 0, outputs)).abs().max().item<double>(),
        1e-5);
  }
}

// Both rows of a value are the model's, so the value is 0, and what one row
// gets of a gradient the other gets with the opposite sign.
TEST_P(ValueModels, ValuesCanBeZeroAtFirst) {
  HeadedModel value = make_value_model(load(), 2, FirstValues::kZero);
  const at::Tensor logits =
      first_logits(*load(), kPrompts).narrow(1, 0, 2).to(at::kFloat);
  value.begin_gradient();
  const at::Tensor columns = value.forward(kPrompts);
  ASSERT_EQ(columns.sizes(), at::IntArrayRef({3, 4}));
  EXPECT_LT(
      (columns.narrow(1, 2, 2) - logits).abs().max().item<double>(), 1e-5);
  const at::Tensor values = values_of(columns, FirstValues::kZero);
  ASSERT_EQ(values.sizes(), at::IntArrayRef({3, 2}));
  EXPECT_LT(values.abs().max().item<double>(), 1e-6);
  (values - 1).square().sum().backward();
  value.end_gradient();
  at::Tensor head;
  for (const HeadedParameter& parameter : value.trained())
    if (parameter.name == "value_head.weight") head = parameter.gradient;
  ASSERT_EQ(head.size(0), 4);
  EXPECT_GT(head.abs().max().item<double>(), 1e-3);
  EXPECT_LT(
      (head.narrow(0, 0, 2) + head.narrow(0, 2, 2)).abs().max().item<double>(),
      1e-5);
}

TEST_P(ValueModels, ValuesDoNotDependOnOtherPrompts) {
  const at::NoGradGuard no_gradient;
  const HeadedModel value = make_value_model(load(), 2);
  const at::Tensor together = value.forward(kPrompts);
  for (std::size_t p = 0; p < kPrompts.size(); ++p) {
    const at::Tensor alone = value.forward({kPrompts[p]})[0];
    const at::Tensor row = together[static_cast<std::int64_t>(p)];
    EXPECT_LT((alone - row).abs().max().item<double>(), 1e-5);
  }
}

// Only the rows that are read exist, and they are not the embedding's.
TEST_P(ValueModels, TheHeadIsItsOwnAndHasTheRowsThatAreRead) {
  const auto plain = load();
  const std::int64_t whole = plain->info().parameters;
  const std::int64_t vocabulary = plain->info().vocabulary;
  const HeadedModel value = make_value_model(load(), 2);
  const auto tensors = value.tensors();
  const at::Tensor head = tensors.at("value_head.weight");
  const std::int64_t width = head.size(1);
  EXPECT_EQ(head.size(0), 2);
  EXPECT_EQ(tensors.contains("lm_head.weight"), false);
  const std::int64_t other_head = GetParam().tied ? 0 : vocabulary * width;
  EXPECT_EQ(value.parameters(), whole - other_head + 2 * width);
  std::int64_t sum = 0;
  for (const auto& [name, tensor] : tensors)
    sum += tensor.numel();
  EXPECT_EQ(sum, value.parameters());
}

TEST_P(ValueModels, SlicesAddUpInOrderToTheLastBit) {
  HeadedModel value = make_value_model(load(), 2);
  const auto sums_of = [&](const std::vector<std::vector<TokenIds>>& slices) {
    value.zero_gradient();
    for (const auto& slice : slices) {
      for (const TokenIds& prompt : slice) {
        value.begin_gradient();
        (value.forward({prompt}) - 1).square().sum().backward();
        value.end_gradient();
      }
      value.end_slice();
    }
    std::vector<at::Tensor> sums;
    for (const HeadedParameter& parameter : value.trained())
      sums.push_back(parameter.gradient.clone());
    return sums;
  };
  const std::vector<TokenIds> one{kPrompts[0]};
  const std::vector<TokenIds> two{kPrompts[1], kPrompts[2]};
  const auto first = sums_of({one});
  const auto second = sums_of({two});
  const auto both = sums_of({one, two});
  for (std::size_t i = 0; i < both.size(); ++i)
    EXPECT_TRUE(at::equal(both[i], first[i] + second[i])) << i;
}

// The derivative of sum (V - 1)^2 along random directions of all parameters.
TEST_P(ValueModels, GradientIsTheFiniteDifference) {
  HeadedModel value = make_value_model(load(), 2);
  const auto loss = [&] {
    return (value.forward(kPrompts) - 1).square().sum();
  };
  for (const int parts : {1, 2}) {
    value.zero_gradient();
    for (int part = 0; part < parts; ++part) {
      value.begin_gradient();
      (loss() / static_cast<double>(parts)).backward();
      value.end_gradient();
    }
    const at::NoGradGuard no_gradient;
    for (std::uint32_t direction = 0; direction < 3; ++direction) {
      RandomStream stream(5, Purpose::kTest, 3, direction);
      std::vector<at::Tensor> along;
      double slope = 0.0;
      double square = 0.0;
      for (const HeadedParameter& parameter : value.trained()) {
        ASSERT_TRUE(parameter.gradient.defined()) << parameter.name;
        EXPECT_EQ(parameter.decays, parameter.master.dim() == 2);
        std::vector<float> numbers;
        for (std::int64_t i = 0; i < parameter.master.numel(); ++i)
          numbers.push_back(static_cast<float>(stream.normal()));
        along.push_back(at::tensor(numbers).view(parameter.master.sizes()));
        slope += (along.back() * parameter.gradient).sum().item<double>();
        square += along.back().square().sum().item<double>();
      }
      const double step = 3e-3 / std::sqrt(square);
      const auto moved = [&](double factor) {
        const auto trained = value.trained();
        for (std::size_t p = 0; p < trained.size(); ++p) {
          at::Tensor master = trained[p].master;
          master.add_(along[p], factor * step);
        }
        value.masters_changed();
        return loss().item<double>();
      };
      const double above = moved(1);
      const double below = moved(-2);
      moved(1);
      const double difference = (above - below) / (2 * step);
      EXPECT_NEAR(difference, slope, 0.01 * std::abs(slope) + 0.02);
    }
  }
}

TEST_P(ValueModels, MastersGoOutAndInByName) {
  const at::NoGradGuard no_gradient;
  HeadedModel first = make_value_model(load(), 2);
  auto tensors = first.tensors();
  for (auto& [name, tensor] : tensors)
    tensor = tensor * 1.25 + 0.125;
  HeadedModel second = make_value_model(load(), 2);
  second.load(tensors);
  EXPECT_FALSE(at::equal(first.forward(kPrompts), second.forward(kPrompts)));
  first.load(second.tensors());
  EXPECT_TRUE(at::equal(first.forward(kPrompts), second.forward(kPrompts)));

  auto missing = tensors;
  missing.erase("value_head.weight");
  EXPECT_THROW(second.load(missing), CallerError);
  auto unknown = tensors;
  unknown["other"] = at::zeros({1});
  EXPECT_THROW(second.load(unknown), CallerError);
  auto misshapen = tensors;
  misshapen["value_head.weight"] = at::zeros({3, 1});
  EXPECT_THROW(second.load(misshapen), CallerError);
  EXPECT_TRUE(at::equal(first.forward(kPrompts), second.forward(kPrompts)));
}

TEST_P(ValueModels, MoreValuesThanTokensAreRefused) {
  EXPECT_THROW(make_value_model(load(), 1000), CallerError);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    ValueModels,
    testing::Values(
        Kind{"llama", false, false},
        Kind{"llama_tied", false, true},
        Kind{"t5_v11", true, false},
        Kind{"t5_v10", true, true}),
    [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace moft::test
