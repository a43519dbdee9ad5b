// States that heads read, and the gradient of a head on an encoder.
#include "moft/models/sequence_model.h"

#include <cmath>
#include <filesystem>

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "moft/checkpoints/hf_directory.h"
#include "moft/core/errors.h"
#include "moft/core/random.h"
#include "moft/models/bert/model.h"
#include "moft/models/headed_model.h"
#include "moft/models/load.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

const fs::path kModels = fs::path(MOFT_SOURCE_DIR) / "tests/reference/models";
const std::vector<TokenIds> kTexts = {{2, 5, 9, 3}, {2}, {2, 7, 4, 3, 3}};

std::shared_ptr<SequenceModel> load(const std::string& name) {
  if (!name.starts_with("bert"))
    return load_language_model(kModels / name).model;
  const auto files = std::make_shared<const HfDirectory>(kModels / name);
  return bert::load_model(
      files, bert::parse_config(files->config(), "config.json"));
}

class Sequences : public testing::TestWithParam<const char*> {
 protected:
  std::shared_ptr<SequenceModel> model_ = load(GetParam());
  RowSteering plain_ = RowSteering::uniform(Coefficients::frozen_reference());
};

TEST_P(Sequences, HaveOneStatePerToken) {
  const at::NoGradGuard no_gradient;
  const at::Tensor states = model_->token_states(kTexts, plain_);
  EXPECT_EQ(states.sizes(), at::IntArrayRef({10, model_->info().width}));
  const at::Tensor last = model_->last_states(kTexts, plain_);
  EXPECT_EQ(last.sizes(), at::IntArrayRef({3, model_->info().width}));
  EXPECT_THROW(model_->token_states({{}}, plain_), CallerError);
  EXPECT_THROW(model_->token_states({{1, 1 << 20}}, plain_), CallerError);
  if (model_->info().family == "t5") return;  // its last state is the decoder's
  const at::Tensor rows = at::tensor({3, 4, 9}, at::kLong);
  EXPECT_LT(
      (states.index_select(0, rows) - last).abs().max().item<double>(), 1e-5);
}

TEST_P(Sequences, AreReadByTheRuleOfTheHead) {
  const at::NoGradGuard no_gradient;
  const at::Tensor states = model_->token_states(kTexts, plain_);
  const at::Tensor mean = read_states(*model_, kTexts, ReadAt::kMean, plain_);
  const at::Tensor first =
      read_states(*model_, kTexts, ReadAt::kFirstToken, plain_);
  EXPECT_TRUE(at::equal(mean[0], states.narrow(0, 0, 4).mean(0)));
  EXPECT_TRUE(at::equal(first[2], states[5]));
}

// The derivative of sum (head(states) - 1)^2 along random directions.
TEST_P(Sequences, HeadsHaveTheGradientOfTheirLoss) {
  const std::int64_t width = model_->info().width;
  std::vector<float> numbers;
  RandomStream stream(5, Purpose::kTest, 4, 0);
  for (std::int64_t i = 0; i < 2 * width; ++i)
    numbers.push_back(static_cast<float>(stream.normal()));
  const at::Tensor weight = at::tensor(numbers).view({2, width});
  HeadedModel model(
      model_, ReadAt::kMean, HeadedModel::Head{"score.weight", weight});
  EXPECT_EQ(model.outputs(), 2);
  model.make_trainable();
  const auto loss = [&] { return (model.forward(kTexts) - 1).square().sum(); };
  model.begin_gradient();
  loss().backward();
  model.end_gradient();
  const at::NoGradGuard no_gradient;
  double slope = 0.0;
  double square = 0.0;
  std::vector<at::Tensor> along;
  for (const HeadedParameter& parameter : model.trained()) {
    const bool read = parameter.gradient.defined();
    std::vector<float> direction;
    for (std::int64_t i = 0; i < parameter.master.numel(); ++i)
      direction.push_back(read ? static_cast<float>(stream.normal()) : 0.0F);
    along.push_back(at::tensor(direction).view(parameter.master.sizes()));
    if (read) slope += (along.back() * parameter.gradient).sum().item<double>();
    square += along.back().square().sum().item<double>();
  }
  const double step = 1e-3 / std::sqrt(square);
  const auto moved = [&](double factor) {
    const auto trained = model.trained();
    for (std::size_t p = 0; p < trained.size(); ++p) {
      at::Tensor master = trained[p].master;
      master.add_(along[p], factor * step);
    }
    model.masters_changed();
    return loss().item<double>();
  };
  const double above = moved(1);
  const double difference = (above - moved(-2)) / (2 * step);
  EXPECT_NEAR(difference, slope, 0.02 * std::abs(slope) + 0.05);
}

TEST_P(Sequences, AHeadIsExchanged) {
  const std::size_t before = model_->steerable().parameters.size();
  const std::int64_t width = model_->info().width;
  for (const char* name : {"score.weight", "other.weight"}) {
    model_->replace_head(
        std::make_shared<SteeredParameter>(name, at::ones({3, width})));
    const SteerableLinear& entry = model_->steerable().linears.back();
    EXPECT_EQ(entry.kind, "head");
    EXPECT_EQ(entry.name + ".weight", name);
    EXPECT_EQ(entry.linear, &model_->head());
    EXPECT_EQ(model_->steerable().parameters.back()->name(), name);
    EXPECT_LE(model_->steerable().parameters.size(), before + 1);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models,
    Sequences,
    testing::Values("bert_tiny_gelu", "bert_tiny_relu", "llama_tied", "t5_v10"),
    [](const auto& model) { return std::string(model.param); });

}  // namespace
}  // namespace moft::test
