// Online training over ranks has the bits of one process with the same slices.
//
// Nothing is computed in the process of the tests: it forks.
#include <cstdlib>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/rewards/outside/python_reward.h"
#include "moft/rewards/regex_reward.h"
#include "moft/training/ranks.h"

#include "tests/ranks/support.h"

namespace moft::test {
namespace {

void full_copies(RankCase& given) {
  given.run.steered_set = SteeredSet::kFull;
}

void one_weighting(RankCase& given) {
  given.run.training.weighting_per = WeightingPer::kBatch;
}

// Minibatches of three prompts, twice.
void grpo(RankCase& given) {
  TrainingOptions& training = given.run.training;
  training.algorithm = Algorithm::kGrpo;
  training.grpo.steps_per_generation = 2;
  training.grpo.num_iterations = 2;
  training.prompts_per_step = 12;
}

void ppo(RankCase& given) {
  TrainingOptions& training = given.run.training;
  training.algorithm = Algorithm::kPpo;
  training.ppo.num_mini_batches = 2;
  training.ppo.num_ppo_epochs = 2;
  training.prompts_per_step = 12;
}

void online_dpo(RankCase& given) {
  given.run.training.algorithm = Algorithm::kOnlineDpo;
}

void value_network(RankCase& given) {
  given.run.training.baseline = Baseline::kValue;
}

// An objective of a Python function.
void use_python(
    RankCase& given, const std::function<void(PythonOptions&)>& change) {
  PythonOptions options;
  options.file = MOFT_SOURCE_DIR "/tests/rewards/outside/functions.py";
  change(options);
  given.run.objectives = {
      {"a", ObjectiveOptions("regex", RegexOptions{.pattern = "a"})},
      {"b", ObjectiveOptions("python", options)}};
}

// It depends on all rows of the call.
void whole_steps(RankCase& given) {
  use_python(given, [](PythonOptions& options) {
    options.function = "place_in_call";
    options.unit = CallUnit::kStep;
  });
}

void asked_by_first(RankCase& given) {
  use_python(given, [](PythonOptions& options) {
    options.function = "letter_b";
    options.asked_by = AskedBy::kFirstRank;
  });
}

void asked_by_each(RankCase& given) {
  use_python(
      given, [](PythonOptions& options) { options.function = "letter_b"; });
}

TEST(OnlineOverRanks, RewardsFromOutsideHaveTheBitsOfOneProcess) {
  expect_same_bits(
      {rank_case("whole steps", 2, whole_steps),
       rank_case("each rank asks", 2, asked_by_each),
       rank_case("the first rank asks", 2, asked_by_first)},
      2);
}

TEST(OnlineOverRanks, TwoHaveTheBitsOfOneProcess) {
  expect_same_bits(
      {rank_case("adapters", 2),
       rank_case(
           "adapters, three slices each, one weighting, cosines",
           6,
           [](RankCase& given) {
             one_weighting(given);
             given.run.training.gradient_cosine_every = 1;
           }),
       rank_case("copies, three slices each", 6, full_copies),
       rank_case(
           "attention, one weighting",
           2,
           [](RankCase& given) {
             given.run.steered_set = SteeredSet::kAttention;
             one_weighting(given);
           }),
       rank_case(
           "bf16",
           2,
           [](RankCase& given) {
             full_copies(given);
             given.run.storage = kernels::Storage::kBFloat16;
           }),
       rank_case(
           "little memory",
           2,
           [](RankCase& given) {
             full_copies(given);
             given.run.training.memory_budget = 0.0003;
           }),
       rank_case("grpo", 2, grpo),
       rank_case("ppo", 2, ppo),
       rank_case("online dpo", 2, online_dpo),
       rank_case("values of prompts", 2, value_network),
       rank_case(
           "T5",
           2,
           [](RankCase& given) {
             given.t5 = true;
             full_copies(given);
           })},
      2);
}

// ---- copies that ranks share ------------------------------------------------

// Under several weightings and KL strengths, one in each step.
void shared_copies(RankCase& given) {
  full_copies(given);
  one_weighting(given);
  given.wide = true;
  given.run.training.kl_sampler = AlphaDistribution::kUniform;
}

std::vector<RankCase> cases_of_shared_copies(std::int64_t slices) {
  const auto with = [](const std::function<void(RankCase&)>& change) {
    return [change](RankCase& given) {
      shared_copies(given);
      change(given);
    };
  };
  return {
      rank_case("fp32", slices, shared_copies),
      rank_case("bf16, clipped", slices, with([](RankCase& given) {
                  given.run.storage = kernels::Storage::kBFloat16;
                  given.run.training.gradient_clip = 0.01;
                })),
      rank_case(
          "attention with trained shared parameters",
          slices,
          with([](RankCase& given) {
            given.run.steered_set = SteeredSet::kAttention;
          })),
      rank_case("several updates", slices, with(grpo)),
      rank_case("with cosines", slices, with([](RankCase& given) {
                  given.run.training.gradient_cosine_every = 1;
                })),
      rank_case("T5 with decay", slices, with([](RankCase& given) {
                  given.t5 = true;
                  given.wide = false;
                  given.run.training.optimizer.weight_decay = 0.1;
                }))};
}

TEST(OnlineOverRanks, SharedCopiesOfTwoHaveTheBitsOfOneProcess) {
  expect_same_bits(cases_of_shared_copies(2), 2);
}

TEST(OnlineOverRanks, SharedCopiesOfThreeHaveTheBitsOfOneProcess) {
  expect_same_bits(cases_of_shared_copies(3), 3);
}

TEST(SharesCopies, WhereAStepHasOneSteeringAndAdamW) {
  TrainingOptions training;
  ConditioningOptions conditioning;
  conditioning.steered_set = SteeredSet::kFull;
  EXPECT_FALSE(shares_copies(conditioning, training, 2));
  training.weighting_per = WeightingPer::kBatch;
  for (const auto& [set, name] : enum_names(SteeredSet{})) {
    conditioning.steered_set = set;
    const bool copies = set != SteeredSet::kLora && set != SteeredSet::kNone;
    EXPECT_EQ(shares_copies(conditioning, training, 2), copies) << name;
    EXPECT_FALSE(shares_copies(conditioning, training, 1)) << name;
  }
  conditioning.steered_set = SteeredSet::kFull;
  training.optimizer.kind = OptimizerKind::kAdafactor;
  EXPECT_FALSE(shares_copies(conditioning, training, 2));
}

TEST(OnlineOverRanks, ThreeHaveTheBitsOfOneProcess) {
  expect_same_bits(
      {rank_case("adapters", 3), rank_case("copies", 6, full_copies)}, 3);
}

// ---- the slices of a recipe -------------------------------------------------

std::string refusal(const TrainingOptions& options, int ranks) {
  try {
    slices_of_ranks(
        options.gradient_accumulation, items_of(options), ranks, "training.");
  } catch (const CallerError& error) {
    return error.what();
  }
  return "none";
}

TEST(SlicesOfRanks, AreOneForEachUnlessTheRecipeSaysMore) {
  TrainingOptions options;
  options.prompts_per_step = 12;
  EXPECT_EQ(slices_of_ranks(1, items_of(options), 3, "training."), 3);
  EXPECT_EQ(slices_of_ranks(6, items_of(options), 3, "training."), 6);
  options.gradient_accumulation = 6;
  EXPECT_EQ(
      refusal(options, 4),
      "training.gradient_accumulation is 6, but there are 4 ranks, each of "
      "which takes as many slices; give a multiple of 4, or 1 for one slice "
      "each");
  options.gradient_accumulation = 1;
  EXPECT_EQ(
      refusal(options, 5),
      "training.prompts_per_step is 12, but 5 ranks cut each of the 1 update "
      "of a step into 5 slices of one size; give a multiple of 5, or start "
      "another number of ranks");
}

// ---- everything, by scripts/verify_distributed ------------------------------

using Change = void (*)(RankCase&);

std::vector<RankCase> all_cases(std::int64_t slices) {
  const std::vector<std::pair<std::string, Change>> algorithms = {
      {"reinforce", [](RankCase&) {}},
      {"values of prompts", value_network},
      {"values of the reward",
       [](RankCase& given) {
         value_network(given);
         given.run.training.value.target = ValueTarget::kReward;
       }},
      {"grpo", grpo},
      {"ppo", ppo},
      {"online dpo", online_dpo}};
  std::vector<RankCase> cases;
  for (const bool t5 : {false, true}) {
    for (const auto& [set, set_name] : enum_names(SteeredSet{})) {
      for (const bool batch : {false, true}) {
        for (const bool half : {false, true}) {
          for (const auto& [algorithm, change] : algorithms) {
            const std::string name = fmt::format(
                "{} {} {} {} {}",
                t5 ? "t5" : "llama",
                set_name,
                batch ? "batch" : "prompt",
                half ? "bf16" : "fp32",
                algorithm);
            cases.push_back(rank_case(name, slices, change));
            RankCase& given = cases.back();
            given.t5 = t5;
            given.run.steered_set = set;
            // So that every minibatch has a prompt for each slice.
            given.run.training.prompts_per_step = 24;
            given.run.training.samples_per_prompt = 2;
            if (half) given.run.storage = kernels::Storage::kBFloat16;
            if (batch) one_weighting(given);
          }
        }
      }
    }
  }
  return cases;
}

// Sets that need more of the recipe are left out.
std::vector<RankCase> trainable(std::vector<RankCase> cases) {
  std::erase_if(cases, [](const RankCase& given) {
    return given.run.steered_set == SteeredSet::kPattern ||
           given.run.steered_set == SteeredSet::kNone;
  });
  return cases;
}

TEST(OnlineOverRanks, EveryKindHasTheBitsOfOneProcess) {
  if (std::getenv("MOFT_RANKS_ALL") == nullptr)
    GTEST_SKIP() << "run by scripts/verify_distributed";
  for (const int ranks : {2, 3, 4}) {
    SCOPED_TRACE(ranks);
    expect_same_bits(trainable(all_cases(12)), ranks);
  }
}

}  // namespace
}  // namespace moft::test
