// How many steerings are computed together.
#include "moft/generation/mixtures.h"

#include "moft/generation/policy_directory.h"

#include "tests/generation/support.h"
#include "tests/support/watched_model.h"

namespace moft {
namespace {

class MixturesTest : public test::TinyPolicyTest,
                     public testing::WithParamInterface<SteeredSet> {
 protected:
  static constexpr std::size_t kSteerings = 20;

  // A trained policy; `watch_` sees its model.
  std::unique_ptr<SteeredPolicy> watched() {
    LoadedModel loaded = load_language_model(base());
    auto tokenizer = load_base_tokenizer(base(), loaded);
    loaded.model =
        std::make_unique<test::WatchedModel>(std::move(loaded.model), watch_);
    auto policy = std::make_unique<SteeredPolicy>(
        std::move(loaded), std::move(tokenizer), definition(GetParam()), 7);
    test::perturb(*policy->conditioning());
    return policy;
  }

  static Steering steering(std::size_t k) {
    const double w = static_cast<double>(k) / kSteerings;
    return {Weighting({w, 1 - w}), 0.1};
  }

  // Copies are mixed first; adapters cost nothing for each steering.
  std::size_t most() const {
    return GetParam() == SteeredSet::kLora ? kSteerings : 8;
  }

  void expect_parts(const std::vector<std::size_t>& steerings) const {
    std::vector<std::size_t> found;
    for (const test::Watch::Pass& pass : watch_.passes)
      found.push_back(pass.steerings);
    EXPECT_EQ(found, steerings);
  }

  test::Watch watch_;
};

INSTANTIATE_TEST_SUITE_P(
    Sets,
    MixturesTest,
    testing::Values(SteeredSet::kFull, SteeredSet::kLora),
    [](const auto& set) { return std::string(enum_name(set.param)); });

TEST_P(MixturesTest, APartOfABatchHasAtMostEight) {
  const auto policy = watched();
  GenerateOptions options;
  options.max_new_tokens = 6;
  GenerateBatch batch;
  batch.prompts = {{3, 9, 0}, {7, 7}};
  for (std::size_t k = 0; k < kSteerings; ++k) {
    batch.steerings.push_back(policy->coefficients_of(steering(k)));
    batch.rows.push_back(
        {static_cast<std::int64_t>(k % 2), static_cast<std::int64_t>(k)});
  }
  for (std::uint32_t r = 0; r < kSteerings; ++r)
    batch.keys.push_back({5, Purpose::kTest, 1, r});
  const Generations plain = generate(policy->model(), batch, options);
  const std::vector<std::size_t> parts = most() == 8
                                             ? std::vector<std::size_t>{8, 8, 4}
                                             : std::vector<std::size_t>{20};
  expect_parts(parts);
  // A part carries its own steerings only.
  for (const test::Watch::Pass& pass : watch_.passes)
    EXPECT_EQ(pass.given, pass.steerings);
  // So do rollouts, whose parts are recorded.
  batch.prompts.clear();
  for (std::size_t k = 0; k < kSteerings; ++k) {
    batch.prompts.push_back(k % 2 == 0 ? TokenIds{3, 9, 0} : TokenIds{7, 7});
    batch.rows[k].prompt = static_cast<std::int64_t>(k);
  }
  batch.record_features = true;
  watch_.passes.clear();
  const Generations recorded = generate(policy->model(), batch, options);
  expect_parts(parts);
  for (std::size_t r = 0; r < kSteerings; ++r) {
    EXPECT_EQ(recorded.rows[r].tokens, plain.rows[r].tokens) << r;
    EXPECT_EQ(recorded.rows[r].log_probs, plain.rows[r].log_probs) << r;
  }
}

// As a rollout gives them: one steering for each prompt.
TEST_P(MixturesTest, EqualSteeringsAreOneMixture) {
  const auto policy = watched();
  GenerateOptions options;
  options.max_new_tokens = 2;
  GenerateBatch batch;
  for (std::uint32_t k = 0; k < kSteerings; ++k) {
    batch.prompts.push_back({3, 9, 0});
    batch.steerings.push_back(policy->coefficients_of(steering(3)));
    batch.rows.push_back({k, k});
    batch.keys.push_back({5, Purpose::kTest, 1, k});
  }
  generate(policy->model(), batch, options);
  EXPECT_EQ(watch_.passes.size(), 1U);
}

TEST_P(MixturesTest, AGroupThatIsScoredHasAtMostEight) {
  const auto policy = watched();
  std::vector<ScoreRequest> requests;
  for (std::size_t k = 0; k < kSteerings; ++k)
    requests.push_back({TokenIds{3, 9, 0}, {5, 1, 28}, steering(k)});
  const auto together = policy->score(requests, {});
  if (most() == 8) {
    expect_parts({8, 8, 4});
  } else {
    expect_parts({20});
  }
  for (std::size_t k = 0; k < kSteerings; ++k) {
    const auto alone = policy->score({requests[k]}, {});
    EXPECT_EQ(together[k].log_probs, alone[0].log_probs) << k;
  }
}

}  // namespace
}  // namespace moft
