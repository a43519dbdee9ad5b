// The same training loop on an encoder-decoder.
#include <cmath>

#include <gtest/gtest.h>

#include "tests/support/tiny_t5.h"
#include "tests/training/support.h"

namespace moft::test {
namespace {

struct T5Kind {
  const char* name;
  SteeredSet set;
  const char* layers;  // of lora; encoder 0, decoder 1 and 2
  bool v10;
};

class T5Training : public testing::TestWithParam<T5Kind> {
 protected:
  std::unique_ptr<TinyTraining> make(const TinyRun& run) const {
    const auto base = scratch_.path() / "base";
    if (!std::filesystem::exists(base)) {
      TinyT5Shape shape;
      shape.gated = !GetParam().v10;
      shape.tied = GetParam().v10;
      write_tiny_t5(base, shape);
    }
    return std::make_unique<TinyTraining>(scratch_.path(), run);
  }

  TinyRun run() const {
    TinyRun made = tiny_run();
    made.steered_set = GetParam().set;
    made.lora_layers = GetParam().layers;
    return made;
  }

  Scratch scratch_;
};

TEST_P(T5Training, KlIsExactlyZeroInTheFirstStepAndNotLater) {
  const auto tiny = make(run());
  EXPECT_EQ(tiny->trainer->step().metrics.at("kl"), 0.0);
  tiny->trainer->step();
  EXPECT_NE(tiny->trainer->step().metrics.at("kl"), 0.0);
}

TEST_P(T5Training, SampledAndScoredLogProbabilitiesAgree) {
  const auto tiny = make(run());
  for (int i = 0; i < 3; ++i)
    EXPECT_LT(tiny->trainer->step().metrics.at("rollout_gap"), 1e-5);
}

TEST_P(T5Training, GradientAccumulationGivesTheSameUpdate) {
  std::map<std::string, at::Tensor> first;
  double norm = 0.0;
  for (const std::int64_t parts : {1, 3}) {
    TinyRun options = run();
    options.training.gradient_accumulation = parts;
    options.training.gradient_clip.reset();
    options.training.optimizer.epsilon = 1e-3;
    const auto tiny = make(options);
    const double found = tiny->trainer->step().metrics.at("grad_norm");
    const auto masters = masters_of(*tiny->policy);
    if (first.empty()) {
      first = masters;
      norm = found;
      EXPECT_GT(norm, 0.0);
      continue;
    }
    EXPECT_NEAR(found, norm, 1e-5 * norm);
    for (const auto& [name, tensor] : masters) {
      const at::Tensor difference = tensor - first.at(name);
      EXPECT_LT(difference.abs().max().item<double>(), 1e-3 * 0.02) << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds,
    T5Training,
    testing::Values(
        T5Kind{"full_v11", SteeredSet::kFull, "all", false},
        T5Kind{"full_v10", SteeredSet::kFull, "all", true},
        T5Kind{"lora", SteeredSet::kLora, "all", false},
        // The encoder's states come from the rollout.
        T5Kind{"lora_in_the_decoder", SteeredSet::kLora, "1..2", false}),
    [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace moft::test
