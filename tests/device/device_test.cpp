// Another device beside the CPU: the same logits, draws, rewards and updates,
// to rounding. MOFT_TEST_DEVICE names it (`cuda`; `cpu` tries the tests
// themselves); without it everything here is skipped.
#include <cstdlib>
#include <optional>

#include <ATen/Context.h>
#include <gtest/gtest.h>

#include "moft/algorithms/adafactor.h"
#include "moft/algorithms/adamw.h"
#include "moft/generation/policy_directory.h"
#include "moft/kernels/linear_function.h"
#include "moft/kernels/token_log_probs.h"
#include "moft/models/bert/sentence_encoder.h"
#include "moft/training/sft/trainer.h"

#include "tests/models/t5_support.h"
#include "tests/support/tensors.h"
#include "tests/support/tiny_t5.h"
#include "tests/training/support.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

std::optional<at::Device> device_wanted() {
  const char* name = std::getenv("MOFT_TEST_DEVICE");
  if (name == nullptr) return std::nullopt;
  return at::Device(name);
}

at::Tensor here(const at::Tensor& x) {
  return x.detach().to(at::kCPU);
}

struct Kind {
  const char* name;
  bool t5;
  bool tied;
  SteeredSet set;
};

const Kind kKinds[] = {
    {"llama_lora", false, false, SteeredSet::kLora},
    {"llama_full", false, true, SteeredSet::kFull},
    {"llama_attention", false, false, SteeredSet::kAttention},
    {"t5_lora", true, false, SteeredSet::kLora},
    {"t5_full_v10", true, true, SteeredSet::kFull},
    {"t5_full_v11", true, false, SteeredSet::kFull},
    {"t5_attention", true, true, SteeredSet::kAttention},
    {"t5_logits", true, true, SteeredSet::kLogits},
    {"t5_none", true, true, SteeredSet::kNone}};

class OnDevice : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    const auto wanted = device_wanted();
    if (!wanted) GTEST_SKIP() << "MOFT_TEST_DEVICE is not set";
    device_ = *wanted;
    base_ = scratch_.path() / "base";
    if (GetParam().t5) {
      TinyT5Shape shape;
      shape.width = 32;
      shape.head_size = 16;
      shape.feed_forward = 48;
      shape.gated = !GetParam().tied;
      shape.tied = GetParam().tied;
      write_tiny_t5(base_, shape);
    } else {
      TinyModel shape;
      shape.width = 32;
      shape.tied = GetParam().tied;
      write_tiny_model(base_, shape);
    }
  }

  // A policy whose masters moved by as much on every device.
  std::unique_ptr<SteeredPolicy> policy_on(at::Device device) const {
    LoadOptions options;
    options.device = device;
    LoadedModel loaded = load_language_model(base_, options);
    auto tokenizer = load_base_tokenizer(base_, loaded);
    PolicyDefinition definition;
    definition.objectives = {{"a", 0, 1}, {"b", 0, 1}};
    definition.conditioning.steered_set = GetParam().set;
    definition.conditioning.lora.rank = 3;
    definition.conditioning.alpha_min = 0.01;
    definition.kl_strength = 0.1;
    auto policy = std::make_unique<SteeredPolicy>(
        std::move(loaded), std::move(tokenizer), definition, 7);
    at::NoGradGuard no_gradient;
    std::uint32_t row = 1000;
    for (const auto& entry : policy->conditioning()->trained()) {
      const auto shape = entry.master.sizes().vec();
      entry.master.add_(normal_tensor(shape, row++, 0.1).to(device));
    }
    policy->conditioning()->masters_changed();
    return policy;
  }

  TinyRun run_on(at::Device device) const {
    TinyRun run = tiny_run();
    run.device = device;
    run.steered_set = GetParam().set;
    // Steps stay proportional to gradients: a gradient that is rounding noise
    // makes no step of full length.
    run.training.optimizer.epsilon = 1e-3;
    return run;
  }

  static std::vector<Coefficients> steerings() {
    using t5_test::mixed;
    return {
        mixed(0.2, {0.7, 0.3}),
        mixed(0.0, {0.0, 1.0}),
        mixed(0.5, {0.5, 0.5}),
        mixed(0.0, {1.0, 0.0}),
        mixed(0.1, {0.25, 0.75})};
  }

  static std::vector<TokenIds> prompts() {
    return {{3, 9, 0, 14, 5, 2, 17}, {7, 7}, {21, 4, 11, 12}};
  }

  Scratch scratch_;
  at::Device device_ = at::kCPU;
  fs::path base_;
};

TEST_P(OnDevice, ScoresUnderManySteerings) {
  ScoreBatch batch;
  batch.prompts = prompts();
  batch.completions = {{5, 1, 25}, {2, 20, 13, 4}, {11}, {6, 6, 6}};
  batch.prompt_of_row = {0, 0, 1, 2};
  std::vector<at::Tensor> logits;
  for (const at::Device device : {at::Device(at::kCPU), device_}) {
    const auto policy = policy_on(device);
    at::NoGradGuard no_gradient;
    for (const auto& rows :
         {RowSteering::per_row(steerings(), {0, 1, 3}, device),
          RowSteering::per_row(steerings(), {4, 4, 2}, device),
          RowSteering::uniform(steerings()[2]),
          RowSteering::uniform(Coefficients::frozen_reference())}) {
      const at::Tensor got = policy->model().completion_logits(batch, rows);
      EXPECT_EQ(got.device().type(), device.type());
      logits.push_back(here(got));
    }
  }
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_LE(distance(logits[i + 4], logits[i]), 2e-5) << i;
}

// Grouped, wide, and with the frozen reference beside the policy.
TEST_P(OnDevice, DecodesUnderManySteerings) {
  const std::vector<TokenIds> completions{
      {5, 1, 25, 3}, {2, 20}, {11, 4, 4, 4, 4, 9}, {6, 6, 6}, {8}};
  std::vector<at::Tensor> logits;
  for (const at::Device device : {at::Device(at::kCPU), device_}) {
    const auto policy = policy_on(device);
    auto with_reference = steerings();
    with_reference.push_back(Coefficients::frozen_reference());
    for (const auto& rows :
         {std::vector<DecodeRow>{{0, 0}, {0, 1}, {1, 2}, {2, 3}, {2, 4}},
          std::vector<DecodeRow>{{0, 5}, {0, 1}, {1, 1}, {2, 5}, {2, 1}},
          std::vector<DecodeRow>{{0, 3}, {0, 3}, {1, 3}, {2, 3}, {2, 3}}}) {
      at::NoGradGuard no_gradient;
      logits.push_back(here(test::decoded(
          policy->model(),
          test::decode_group(prompts(), with_reference, rows),
          completions)));
    }
  }
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_LE(distance(logits[i + 3], logits[i]), 2e-5) << i;
}

TEST_P(OnDevice, DrawsTheSameTokens) {
  std::vector<CompletionRequest> requests;
  for (std::uint32_t row = 0; row < 30; ++row) {
    const double w = (row % 6) / 5.0;
    std::optional<Steering> steering;
    if (row % 7 != 0) steering = Steering{Weighting({w, 1 - w}), 0.1};
    requests.push_back(
        {prompts()[row % 3], steering, {5, Purpose::kTest, 1, row}});
  }
  GenerateOptions options;
  options.max_new_tokens = 12;
  options.rows_at_once = 16;
  GenerateOptions greedy = options;
  greedy.sampling.greedy = true;
  GenerateOptions cut = options;
  cut.sampling.top_p = 0.8;
  for (const GenerateOptions& chosen : {options, greedy, cut}) {
    const auto wanted = policy_on(at::kCPU)->complete_with_kl(requests, chosen);
    const auto got = policy_on(device_)->complete_with_kl(requests, chosen);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      ASSERT_EQ(got[i].tokens, wanted[i].tokens) << i;
      for (std::size_t t = 0; t < wanted[i].tokens.size(); ++t) {
        EXPECT_NEAR(got[i].log_probs[t], wanted[i].log_probs[t], 1e-4);
        EXPECT_NEAR(got[i].exact_kl[t], wanted[i].exact_kl[t], 1e-4);
      }
    }
  }
}

TEST_P(OnDevice, TrainsTheSameStep) {
  std::vector<std::map<std::string, double>> metrics;
  std::vector<std::vector<std::string>> texts;
  std::vector<std::map<std::string, at::Tensor>> masters;
  for (const at::Device device : {at::Device(at::kCPU), device_}) {
    TinyRun run = run_on(device);
    if (GetParam().set == SteeredSet::kFull)
      run.training.baseline = Baseline::kValue;
    TinyTraining tiny(scratch_.path(), run);
    texts.emplace_back();
    for (int step = 0; step < 2; ++step) {
      const StepResult result = tiny.trainer->step();
      metrics.push_back(result.metrics);
      for (const auto& sample : result.samples)
        texts.back().push_back(sample.completion);
    }
    masters.emplace_back();
    for (const auto& [name, tensor] : masters_of(*tiny.policy))
      masters.back()[name] = here(tensor);
  }
  ASSERT_EQ(texts[0], texts[1]);
  for (std::size_t step = 0; step < 2; ++step) {
    for (const char* name : {"kl", "grad_norm", "reward", "entropy"}) {
      const double wanted = metrics[step].at(name);
      EXPECT_NEAR(
          metrics[2 + step].at(name), wanted, 1e-4 * (1 + std::abs(wanted)))
          << name << " of step " << step;
    }
    EXPECT_LT(metrics[2 + step].at("rollout_gap"), 1e-4);
  }
  for (const auto& [name, wanted] : masters[0]) {
    const at::Tensor difference = masters[1].at(name) - wanted;
    EXPECT_LT(largest(difference), 2e-3 * 0.02) << name;
  }
}

TEST_P(OnDevice, LearnsPairsAsTheCpuDoes) {
  const std::vector<SftPair> pairs{
      {{3, 9, 4}, {5, 1}}, {{7, 7}, {2, 20, 13, 4}}, {{8}, {6, 6, 6}}};
  std::vector<double> losses;
  for (const at::Device device : {at::Device(at::kCPU), device_}) {
    LoadOptions options;
    options.device = device;
    SteeredPolicy policy(
        load_language_model(base_, options), nullptr, sft_definition("{x}"));
    SftOptions sft;
    sft.pairs_per_step = 3;
    sft.gradient_accumulation = 2;
    sft.optimizer.epsilon = 1e-3;
    sft.optimizer.learning_rate = 0.02;
    SftTrainer trainer({&policy, &pairs, &pairs, true}, sft);
    for (int step = 0; step < 5; ++step)
      losses.push_back(trainer.step().metrics.at("loss"));
    losses.push_back(trainer.held_out().loss());
  }
  EXPECT_LT(losses[5], losses[0]);
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_NEAR(losses[i + 6], losses[i], 2e-4 * losses[i]) << i;
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, OnDevice, testing::ValuesIn(kKinds), [](const auto& kind) {
      return std::string(kind.param.name);
    });

class DeviceParts : public testing::Test {
 protected:
  void SetUp() override {
    const auto wanted = device_wanted();
    if (!wanted) GTEST_SKIP() << "MOFT_TEST_DEVICE is not set";
    device_ = *wanted;
  }
  at::Device device_ = at::kCPU;
};

template <typename Optimizer>
at::Tensor after_steps(Optimizer& optimizer, at::Device device) {
  for (std::uint32_t step = 0; step < 3; ++step) {
    std::vector<ScaledGradient> gradients;
    std::uint32_t row = 10 * step;
    for (const TrainedTensor& parameter : optimizer.parameters()) {
      const auto shape = parameter.master.sizes().vec();
      gradients.push_back({normal_tensor(shape, row++).to(device), 0.7});
    }
    optimizer.step(gradients, 0.05, 0.9);
  }
  std::vector<at::Tensor> all;
  for (const TrainedTensor& parameter : optimizer.parameters())
    all.push_back(here(parameter.master).view({-1}));
  return at::cat(all);
}

// A factored matrix, one that is too small for it, and a vector.
TEST_F(DeviceParts, OptimizersTakeTheSameSteps) {
  std::vector<at::Tensor> adamw, adafactor;
  for (const at::Device device : {at::Device(at::kCPU), device_}) {
    const auto parameters = [&] {
      return std::vector<TrainedTensor>{
          {"a", normal_tensor({150, 200}, 1).to(device), true},
          {"b", normal_tensor({20, 200}, 2, 1e-4).to(device), true},
          {"c", normal_tensor({33}, 3).to(device), false}};
    };
    AdamW first(parameters(), {});
    adamw.push_back(after_steps(first, device));
    Adafactor second(parameters(), {});
    adafactor.push_back(after_steps(second, device));
    // The state comes back from the CPU.
    std::map<std::string, at::Tensor> state;
    for (const auto& [name, tensor] : second.export_state())
      state[name] = here(tensor);
    Adafactor third(parameters(), {});
    third.import_state(state);
    adafactor.push_back(after_steps(third, device));
  }
  EXPECT_LE(distance(adamw[1], adamw[0]), 1e-5);
  EXPECT_LE(distance(adafactor[2], adafactor[0]), 1e-5);
  EXPECT_LE(distance(adafactor[3], adafactor[1]), 1e-5);
}

// bf16 weights: factors are rounded, and so is what the library's bf16 product
// returns.
TEST_F(DeviceParts, Bf16ProductsAndTheirGradients) {
  using kernels::Storage;
  const at::Tensor weight = normal_tensor({37, 20}, 5);
  const auto leaf = weight.to(device_).detach().clone().requires_grad_();
  const kernels::FrozenWeight packed(weight.to(device_), Storage::kBFloat16);
  const auto x = normal_tensor({11, 20}, 7).to(device_).requires_grad_();
  const at::Tensor dy = normal_tensor({11, 37}, 8).to(device_);
  const auto y = kernels::trained_linear(x, leaf, packed);
  (y * dy).sum().backward();
  const bool rounds = kernels::rounds_inputs(Storage::kBFloat16, device_);
  const auto factor = [&](const at::Tensor& t) {
    return here(rounds ? t.to(at::kBFloat16) : t).to(at::kDouble);
  };
  const auto w = here(weight.to(at::kBFloat16)).to(at::kDouble);
  const auto expect_near = [](const at::Tensor& found, const at::Tensor& all) {
    const double half_ulp = all.abs().max().item<double>() / 256;
    EXPECT_LE(distance(here(found), all), half_ulp + 1e-5);
  };
  expect_near(y, at::linear(factor(x), w));
  expect_near(x.grad(), at::mm(factor(dy), rounds ? w : factor(weight)));
  expect_near(leaf.grad(), at::mm(factor(dy).t(), factor(x)));
}

TEST_F(DeviceParts, LogProbabilitiesAndTheirGradients) {
  const at::Tensor logits = normal_tensor({20, 3000}, 4, 3.0);
  const at::Tensor targets = at::arange(20, at::kLong) * 7;
  const kernels::LogProbOptions options{.inverse_temperature = 1.25};
  std::vector<std::vector<at::Tensor>> found;
  for (const at::Device device : {at::Device(at::kCPU), device_}) {
    const at::Tensor x =
        logits.clone().to(device).detach().set_requires_grad(true);
    const at::Tensor chosen =
        kernels::selected_log_probs(x, targets.to(device), options);
    (chosen * at::arange(20, chosen.options())).sum().backward();
    found.push_back(
        {here(chosen),
         here(x.grad()),
         here(kernels::exact_kl(x.detach(), x.detach() * 0.9, 1.25)),
         here(kernels::entropy(x.detach(), 1.25))});
  }
  for (std::size_t i = 0; i < found[0].size(); ++i)
    EXPECT_LE(distance(found[1][i], found[0][i]), 1e-5) << i;
}

TEST_F(DeviceParts, SentencesAreEmbeddedAlike) {
  const std::vector<std::vector<std::int32_t>> texts{
      {2, 5, 9, 3}, {2, 3}, {2, 7, 7, 3}, {2, 11, 4, 8, 6, 3}};
  const fs::path directory = t5_test::kReference / "bert_tiny_gelu";
  const auto cpu = bert::load_sentence_encoder(directory, at::kCPU);
  const auto other = bert::load_sentence_encoder(directory, device_);
  EXPECT_LE(distance(other.embed(texts), cpu.embed(texts)), 1e-5);
}

// Blocks of a GGUF file are unpacked on their way to a device.
TEST_F(DeviceParts, ReadsGguf) {
  ScoreBatch batch;
  batch.prompts = {{3, 9, 1, 14}};
  batch.completions = {{5, 1, 7}};
  batch.prompt_of_row = {0};
  for (const char* name : {"llama_gguf_f32.gguf", "llama_gguf_q8_0.gguf"}) {
    LoadOptions there;
    there.device = device_;
    const auto cpu = t5_test::load(t5_test::kReference / name);
    const auto other = t5_test::load(t5_test::kReference / name, there);
    EXPECT_LE(
        distance(
            here(t5_test::scored(*other, batch)), t5_test::scored(*cpu, batch)),
        2e-5)
        << name;
  }
}

}  // namespace
}  // namespace moft::test
