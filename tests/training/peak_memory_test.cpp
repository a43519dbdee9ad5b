// What a step of every method holds at its peak, measured: within
// memory_budget, which does not hold weights, gradients and optimizer state.
#include <gtest/gtest.h>

#include "moft/kernels/packed_matrix.h"
#include "moft/training/dpo/trainer.h"

#include "tests/support/counted_memory.h"
#include "tests/support/tiny_model.h"
#include "tests/support/tiny_t5.h"
#include "tests/training/support.h"

namespace moft::test {
namespace {

constexpr double kBudget = 0.001;  // GB
constexpr double kWhole = 1.0;

// Every token of every layer costs some kilobytes.
TinyModel shape_of_layers(std::int64_t layers) {
  TinyModel shape;
  shape.layers = layers;
  shape.width = 32;
  shape.heads = 4;
  shape.kv_heads = 2;
  shape.feed_forward = 64;
  return shape;
}

// Many layers, so that what the backward pass of one holds beside them is
// little.
TinyT5Shape encoder_decoder() {
  TinyT5Shape shape;
  shape.encoder_layers = 6;
  shape.decoder_layers = 12;
  shape.width = 32;
  shape.feed_forward = 64;
  return shape;
}

std::int64_t packed_bytes(std::int64_t out, std::int64_t in) {
  return kernels::PackedMatrix(at::zeros({out, in})).bytes();
}

// What adapters are multiplied by, forwards and backwards. It is made after
// each update and held until the next, as weights are: no part of the budget.
std::int64_t packed_adapters(const SteeredPolicy& policy) {
  std::int64_t bytes = 0;
  for (const SteerableLinear& entry :
       policy.base().model->steerable().linears) {
    const LowRankAdapters* adapters = entry.linear->adapters();
    if (adapters == nullptr) continue;
    const std::int64_t rank = adapters->objectives() * adapters->rank();
    for (const std::int64_t side : {entry.linear->in(), entry.linear->out()})
      bytes += packed_bytes(rank, side) + packed_bytes(side, rank);
  }
  return bytes;
}

// The value network's, of the same shape: packed after each update.
std::int64_t packed_weights(const SteeredPolicy& policy) {
  std::int64_t bytes = 0;
  for (const SteerableLinear& entry : policy.base().model->steerable().linears)
    bytes += packed_bytes(entry.linear->out(), entry.linear->in());
  return bytes;
}

struct Method {
  const char* name;
  void (*choose)(TrainingOptions& options);
};

constexpr Method kMethods[] = {
    {"Reinforce", [](TrainingOptions&) {}},
    {"GrpoMinibatches",
     [](TrainingOptions& options) {
       options.algorithm = Algorithm::kGrpo;
       options.grpo.num_iterations = 2;
       options.grpo.steps_per_generation = 2;
     }},
    {"GrpoOneUpdate",
     [](TrainingOptions& options) { options.algorithm = Algorithm::kGrpo; }},
    {"Ppo",
     [](TrainingOptions& options) { options.algorithm = Algorithm::kPpo; }},
    {"PpoMinibatches",
     [](TrainingOptions& options) {
       options.algorithm = Algorithm::kPpo;
       options.ppo.num_mini_batches = 3;
       options.value.target = ValueTarget::kReward;
     }},
    {"OnlineDpo",
     [](TrainingOptions& options) {
       options.algorithm = Algorithm::kOnlineDpo;
     }},
};

class PeakMemory : public testing::TestWithParam<Method> {
 protected:
  PeakMemory() { CountedMemory::get(); }

  // Bytes that the second step holds at most, beside what was there before it:
  // by then the optimizers have their state.
  static std::int64_t growth(Trainer& trainer) {
    trainer.step();
    CountedMemory::get().begin();
    trainer.step();
    return CountedMemory::get().growth();
  }

  static TinyRun run_of(double budget) {
    TinyRun run = tiny_run();
    GetParam().choose(run.training);
    run.training.kl_strength = 0.1;
    run.training.samples_per_prompt = 8;
    run.training.max_new_tokens = 32;
    run.training.memory_budget = budget;
    run.training.check("training.");
    return run;
  }

  static std::int64_t gradient_bytes(const TinyTraining& tiny, bool value) {
    const std::int64_t steered = tiny.policy->conditioning()->counts().steered;
    const std::int64_t network = tiny.policy->base().model->info().parameters;
    return 4 * (2 * steered + (value ? network : 0));
  }

  // Less the gradients, which the budget does not hold.
  static std::int64_t online(double budget) {
    const Scratch scratch;
    write_tiny_model(scratch.path() / "base", shape_of_layers(4));
    const TinyRun run = run_of(budget);
    TinyTraining tiny(scratch.path(), run);
    return growth(*tiny.trainer) -
           gradient_bytes(tiny, run.training.has_value_network());
  }

  // Less what is packed too: there are 174 pairs of adapters.
  static std::int64_t online_t5(double budget) {
    const Scratch scratch;
    write_tiny_t5(scratch.path() / "base", encoder_decoder());
    TinyRun run = run_of(budget);
    // Later passes hold what the second does.
    run.training.ppo.num_ppo_epochs = 2;
    TinyTraining tiny(scratch.path(), run);
    const bool value = run.training.has_value_network();
    const std::int64_t packed = packed_adapters(*tiny.policy) +
                                (value ? packed_weights(*tiny.policy) : 0);
    return growth(*tiny.trainer) - gradient_bytes(tiny, value) - packed;
  }
};

TEST_P(PeakMemory, OfAStepStaysWithinTheBudget) {
  EXPECT_LE(online(kBudget), kBudget * 1e9);
  EXPECT_GT(online(kWhole), 2 * kBudget * 1e9);
}

TEST_P(PeakMemory, OfAStepOfT5StaysWithinTheBudget) {
  EXPECT_LE(online_t5(3 * kBudget), 3 * kBudget * 1e9);
  EXPECT_GT(online_t5(kWhole), 6 * kBudget * 1e9);
}

INSTANTIATE_TEST_SUITE_P(
    Methods, PeakMemory, testing::ValuesIn(kMethods), [](const auto& method) {
      return std::string(method.param.name);
    });

// Two steps of 12 pairs, whose answers have 32 tokens.
TEST(PeakMemoryOfDpo, OfAStepStaysWithinTheBudget) {
  const auto growth = [](double budget) {
    const Scratch scratch;
    write_tiny_model(scratch.path() / "base", shape_of_layers(8));
    TinyTraining tiny(scratch.path(), tiny_run());
    std::vector<DpoPair> pairs(24);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      DpoPair& pair = pairs[i];
      pair.prompt.ids.assign(5 + i % 3, static_cast<TokenId>(i));
      pair.answers = {TokenIds(32, 0), TokenIds(32, 1)};
      pair.scores = {std::vector<double>{1.0, 0.0}, {0.25, 0.5}};
    }
    DpoOptions options;
    options.steps = 4;
    options.pairs_per_step = 12;
    options.memory_budget = budget;
    DpoTrainer trainer(
        {tiny.policy.get(), &pairs, &pairs, true},
        options,
        make_weighting_sampler({}, {"a", "b"}, "weightings"));
    trainer.step();
    // The pairs of this one are new: the reference reads them too.
    CountedMemory::get().begin();
    trainer.step();
    return CountedMemory::get().growth() -
           4 * 2 * tiny.policy->conditioning()->counts().steered;
  };
  CountedMemory::get();
  EXPECT_LE(growth(3 * kBudget), 3 * kBudget * 1e9);
  EXPECT_GT(growth(kWhole), 6 * kBudget * 1e9);
}

}  // namespace
}  // namespace moft::test
