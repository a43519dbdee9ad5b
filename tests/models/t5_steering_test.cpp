// T5 under steerings: scores, gradients, shared work. Reference values:
// tests/reference/models/make_t5.py (transformers 4.57.6).
#include <algorithm>

#include "tests/models/t5_support.h"

namespace moft {
namespace {

using namespace t5_test;

class T5Steering : public TinyT5 {};

// What training relies on: the log-probabilities of a rollout are those that
// scoring gives, whatever is steered and however steerings are mixed.
TEST_P(T5Steering, ScoresEqualDecodedLogProbsUnderEverySteering) {
  for (const SteeredSet set : {SteeredSet::kFull, SteeredSet::kLora}) {
    model_ = load(directory_);
    const auto conditioning = condition(set);
    const auto prompts = ragged_prompts();
    const auto completions = ragged_completions();
    const std::vector<Coefficients> steerings{
        mixed(0.2, {0.7, 0.3}), mixed(0.0, {0.0, 1.0}), mixed(0.0, {1.0, 0.0})};
    const std::vector<std::int64_t> steering_of_row{0, 1, 2, 1};
    const auto rows =
        RowSteering::per_row(steerings, steering_of_row, at::kCPU);
    const at::Tensor by_scoring =
        scored(*model_, pairs(prompts, completions), rows);
    const at::Tensor by_decoding = decoded(
        *model_,
        decode_group(prompts, steerings, {{0, 0}, {1, 1}, {2, 2}, {3, 1}}),
        completions);
    EXPECT_LE(
        test::largest(
            log_probs(by_scoring, completions) -
            log_probs(by_decoding, completions)),
        2e-5);
    std::vector<at::Tensor> singles;
    for (std::size_t r = 0; r < prompts.size(); ++r) {
      const auto k = static_cast<std::size_t>(steering_of_row[r]);
      singles.push_back(decoded(
          *model_,
          decode_group({prompts[r]}, {steerings[k]}, {{0, 0}}),
          {completions[r]}));
    }
    EXPECT_TRUE(test::same_bits(by_decoding, at::cat(singles)));
    // The steering matters, and the reference is not touched.
    const at::Tensor other = scored(
        *model_,
        pairs(prompts, completions),
        RowSteering::uniform(mixed(0.0, {0.5, 0.5})));
    EXPECT_GT(test::distance(other, by_scoring), 1e-3);
    const at::Tensor reference = scored(
        *model_,
        pairs({prompt_}, {completion_}),
        RowSteering::uniform(Coefficients::frozen_reference()));
    expect_logits(reference, expected_);
  }
}

// S = full at the start: every mixed parameter is the reference, so the
// gradient of the mixed parameter is transformers' gradient of its own.
TEST_P(T5Steering, GradientsEqualTransformers) {
  Steerable& steerable = model_->steerable();
  const Coefficients c = mixed(0.25, {0.5, 0.5});
  for (const auto& parameter : steerable.parameters) {
    parameter->make_steered(2);
    parameter->begin_gradient(c);
  }
  steerable.first_steered_layer = 0;
  const at::Tensor logits = model_->completion_logits(
      pairs({prompt_}, {completion_}), RowSteering::uniform(c));
  log_probs(logits, {completion_}).sum().backward();
  for (const auto& parameter : steerable.parameters) {
    const at::Tensor wanted = read(expected_, "gradient/" + parameter->name());
    ASSERT_TRUE(parameter->leaf().grad().defined()) << parameter->name();
    EXPECT_LE(test::distance(parameter->leaf().grad(), wanted), 3e-5)
        << parameter->name();
  }
}

// A few parameters of the decoder: the encoder's layers run without gradient.
TEST_P(T5Steering, GradientsOfAFewDecoderParametersEqualTransformers) {
  Steerable& steerable = model_->steerable();
  const Coefficients c = mixed(0.0, {0.5, 0.5});
  std::vector<std::shared_ptr<SteeredParameter>> chosen;
  for (const auto& parameter : steerable.parameters) {
    const std::string& name = parameter->name();
    if (!name.starts_with("decoder.")) continue;
    if (name.find("relative") == std::string::npos &&
        name.find("EncDecAttention.k") == std::string::npos &&
        name.find("layer.2.layer_norm") == std::string::npos) {
      continue;
    }
    parameter->make_steered(2);
    parameter->begin_gradient(c);
    chosen.push_back(parameter);
  }
  const auto encoder_layers = static_cast<std::int64_t>(std::count_if(
      steerable.linears.begin(),
      steerable.linears.end(),
      [](const SteerableLinear& entry) {
        return entry.name.starts_with("encoder.") && entry.kind == "q";
      }));
  steerable.first_steered_layer = encoder_layers;
  const at::Tensor logits = model_->completion_logits(
      pairs({prompt_}, {completion_}), RowSteering::uniform(c));
  log_probs(logits, {completion_}).sum().backward();
  ASSERT_GE(chosen.size(), 3U);
  for (const auto& parameter : chosen) {
    const at::Tensor wanted = read(expected_, "gradient/" + parameter->name());
    EXPECT_LE(test::distance(parameter->leaf().grad(), wanted), 3e-5)
        << parameter->name();
  }
}

// At B = 0 the gradient of B_i is c_i s G A^T, with transformers' gradient G
// of the matrix; rows of several steerings share one batch.
TEST_P(T5Steering, AdapterGradientsFollowFromTransformers) {
  ConditioningOptions options;
  options.steered_set = SteeredSet::kLora;
  options.lora.rank = 2;
  const auto installed =
      install_conditioning(model_->steerable(), options, {"a", "b"}, 5);
  Conditioning& conditioning = *installed;
  conditioning.zero_gradient();
  const std::vector<Coefficients> steerings{
      mixed(0.0, {0.75, 0.25}), mixed(0.2, {0.0, 1.0})};
  conditioning.note_steerings(steerings);
  const at::Tensor logits = model_->completion_logits(
      pairs({prompt_, prompt_}, {completion_, completion_}),
      RowSteering::per_row(steerings, {0, 1}, at::kCPU));
  log_probs(logits, {completion_, completion_}).sum().backward();
  const double sums[] = {0.75, 0.25 + 0.8};
  std::size_t adapters = 0;
  for (const SteerableLinear& entry : model_->steerable().linears) {
    if (entry.linear->adapters() == nullptr) continue;
    ++adapters;
    const LowRankAdapters& own = *entry.linear->adapters();
    const at::Tensor full =
        read(expected_, "gradient/" + entry.name + ".weight");
    for (std::int64_t i = 0; i < 2; ++i) {
      const at::Tensor wanted =
          sums[i] * own.scale() * at::matmul(own.down(i).detach(), full.t());
      const at::Tensor found =
          entry.linear->adapters()->up_all().grad().narrow(0, i * 2, 2);
      EXPECT_LE(test::distance(found, wanted), 5e-5) << entry.name;
    }
  }
  // Every matrix of every block; heads and embeddings have none.
  EXPECT_EQ(adapters, model_->steerable().linears.size() - 1);
}

// A rollout's frozen lower layers are not computed again.
TEST_P(T5Steering, RecordedFeaturesGiveTheSameScores) {
  const auto prompts = ragged_prompts();
  const auto completions = ragged_completions();
  const std::int64_t layers = model_->steerable().layers;
  const std::vector<Coefficients> steerings{
      mixed(0.2, {0.7, 0.3}), mixed(0.0, {0.0, 1.0})};
  const auto rows = RowSteering::per_row(steerings, {0, 1, 0, 1}, at::kCPU);
  for (std::int64_t first = 1; first < layers; ++first) {
    model_ = load(directory_);
    const auto conditioning = condition(
        SteeredSet::kLora,
        std::to_string(first) + ".." + std::to_string(layers - 1));
    auto batch =
        decode_group(prompts, steerings, {{0, 0}, {1, 1}, {2, 0}, {3, 1}});
    batch.record_features = true;
    const auto decoder = model_->open_decoder({});
    decoder->admit(batch);
    decoder->prefill();
    ScoreBatch pairs_batch = pairs(prompts, completions);
    const at::Tensor plain = scored(*model_, pairs_batch, rows);
    pairs_batch.features = decoder->features();
    ASSERT_NE(pairs_batch.features, nullptr);
    EXPECT_GT(pairs_batch.features->first_layer, 0);
    EXPECT_EQ(pairs_batch.features->completions.size(), completions.size());
    const at::Tensor reused = scored(*model_, pairs_batch, rows);
    EXPECT_LE(test::distance(reused, plain), 2e-6) << first;
    // They are read: others give other scores.
    auto spoilt = std::make_shared<Features>(*pairs_batch.features);
    spoilt->prompts[0] = spoilt->prompts[0] + 1;
    pairs_batch.features = spoilt;
    EXPECT_GT(test::distance(scored(*model_, pairs_batch, rows), plain), 1e-3);
  }
}

// bf16 storage rounds the matrices of products, but not `wo`.
TEST_P(T5Steering, Bf16StorageRoundsAllMatricesButWo) {
  const auto rounded =
      load(directory_, {.storage = kernels::Storage::kBFloat16});
  const auto batch =
      decode_group({prompt_}, {Coefficients::frozen_reference()}, {{0, 0}});
  const at::Tensor found = decoded(*rounded, batch, {completion_});
  const at::Tensor plain = decoded(*load(directory_), batch, {completion_});
  EXPECT_GT(test::distance(found, plain), 1e-4);
  EXPECT_LT(test::distance(found, plain), 0.1);
  const auto& linears = rounded->steerable().linears;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < linears.size(); ++i) {
    at::Tensor weight =
        model_->steerable().linears[i].linear->weight().reference();
    if (linears[i].name.ends_with(".wo")) {
      ++kept;
    } else {
      const at::Tensor half = weight.to(at::kBFloat16).to(at::kFloat);
      // A tied head's table is read unrounded by the embedding.
      if (linears[i].kind == "head" && GetParam() != std::string("t5_v11")) {
        weight = half;
      } else {
        weight.copy_(half);
      }
    }
    const auto& packed =
        linears[i].linear->weight().packed(Coefficients::frozen_reference());
    EXPECT_TRUE(test::same_bits(packed.forward().unpack(), weight))
        << linears[i].name;
  }
  EXPECT_EQ(kept, static_cast<std::size_t>(model_->steerable().layers));
  // Where products round nothing else, rounded weights are all there is to it.
  const bool weights_alone =
      !kernels::rounds_inputs(kernels::Storage::kBFloat16);
  if (weights_alone && GetParam() == std::string("t5_v11")) {
    const at::Tensor wanted = decoded(*model_, batch, {completion_});
    EXPECT_TRUE(test::same_bits(found, wanted));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes,
    T5Steering,
    testing::Values("t5_v10", "t5_v11", "t5_silu"),
    [](const auto& shape) { return std::string(shape.param); });

}  // namespace
}  // namespace moft
