// An encoder-decoder under the same policy, files and commands: nothing
// above models/ asks which family it is.
#include <fstream>

#include <nlohmann/json.hpp>

#include "tests/generation/support.h"
#include "tests/support/tiny_t5.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

using test::same_bits;

class T5Policy : public test::TinyPolicyTest,
                 public testing::WithParamInterface<SteeredSet> {
 protected:
  T5Policy() {
    fs::remove_all(base());
    test::write_tiny_t5(base());
  }

  std::vector<CompletionRequest> requests(const SteeredPolicy& policy) const {
    std::vector<CompletionRequest> result;
    std::uint32_t row = 0;
    for (const char* text : {"the quick brown fox", "a", "words, words"}) {
      for (const double w : {0.2, 0.9}) {
        CompletionRequest request;
        request.prompt = policy.fill_prompt(text);
        request.steering = Steering{Weighting({w, 1 - w}), 0.1};
        request.key = {5, Purpose::kToken, 0, row++};
        result.push_back(std::move(request));
      }
    }
    return result;
  }

  static GenerateOptions options() {
    GenerateOptions result;
    result.max_new_tokens = 12;
    return result;
  }
};

TEST_P(T5Policy, APromptEndsWithTheEndToken) {
  const auto policy = make(GetParam());
  const TokenIds prompt = policy->fill_prompt("the fox").ids;
  const TokenIds wanted = policy->tokenizer().encode("say the fox");
  EXPECT_EQ(prompt, wanted);
  EXPECT_EQ(prompt.back(), test::kTinyT5End);
}

TEST_P(T5Policy, ScoresAreTheSampledLogProbsAndKlIsZeroAtTheStart) {
  auto policy = make(GetParam());
  for (const Completion& row :
       policy->complete_with_kl(requests(*policy), options())) {
    for (const float kl : row.exact_kl) {
      EXPECT_LE(std::abs(kl), GetParam() == SteeredSet::kFull ? 0.0F : 1e-6F);
    }
  }
  test::perturb(*policy->conditioning());
  const auto asked = requests(*policy);
  const auto rows = policy->complete_with_kl(asked, options());
  std::vector<ScoreRequest> scoring;
  for (std::size_t r = 0; r < rows.size(); ++r)
    scoring.push_back({asked[r].prompt, rows[r].tokens, asked[r].steering});
  const auto scores =
      policy->score(scoring, {.with_reference = true, .with_exact_kl = true});
  double kl = 0.0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    ASSERT_EQ(scores[r].log_probs.size(), rows[r].log_probs.size());
    for (std::size_t t = 0; t < rows[r].tokens.size(); ++t) {
      EXPECT_NEAR(scores[r].log_probs[t], rows[r].log_probs[t], 2e-5);
      EXPECT_NEAR(scores[r].exact_kl[t], rows[r].exact_kl[t], 2e-5);
      kl += scores[r].exact_kl[t];
    }
  }
  EXPECT_GT(kl, 0.1);
}

TEST_P(T5Policy, APolicyDirectoryCarriesItsTokenizerAndComesBack) {
  auto policy = make_trained(GetParam());
  const fs::path directory = folder_ / "policy";
  save_policy(*policy, base(), directory, "the card\n");
  EXPECT_TRUE(fs::exists(directory / "spiece.model"));
  const auto loaded = load_policy(directory);
  const auto wanted = policy->complete(requests(*policy), options());
  const auto found = loaded->complete(requests(*loaded), options());
  for (std::size_t r = 0; r < wanted.size(); ++r) {
    EXPECT_EQ(found[r].tokens, wanted[r].tokens);
    EXPECT_EQ(found[r].log_probs, wanted[r].log_probs);
    EXPECT_EQ(found[r].text, wanted[r].text);
  }
}

TEST_P(T5Policy, AnExportIsThePlainModelOfThatSteering) {
  auto policy = make_trained(GetParam());
  const fs::path directory = folder_ / "policy";
  save_policy(*policy, base(), directory, "the card\n");
  const Steering steering{Weighting({0.3, 0.7}), 0.1};
  export_policy(*policy, directory, steering, folder_ / "plain");
  const auto plain = load_policy(folder_ / "plain");
  ScoreBatch batch;
  batch.prompts = {policy->fill_prompt("the fox").ids, {4, 1}};
  batch.completions = {{9, 30, 1}, {17, 8}};
  batch.prompt_of_row = {0, 1};
  const at::Tensor exported = logits(
      plain->model(),
      batch,
      RowSteering::uniform(Coefficients::frozen_reference()));
  const at::Tensor steered = logits(
      policy->model(),
      batch,
      RowSteering::uniform(policy->coefficients_of(steering)));
  EXPECT_LE(test::distance(exported, steered), 2e-6);
  EXPECT_EQ(
      plain->tokenizer().encode("the fox"),
      policy->tokenizer().encode("the fox"));
  // What transformers' generate() needs.
  std::ifstream file(folder_ / "plain" / "generation_config.json");
  const auto config = nlohmann::json::parse(file);
  EXPECT_EQ(config["decoder_start_token_id"], 0);
  EXPECT_EQ(config["pad_token_id"], 0);
  EXPECT_EQ(config["eos_token_id"], nlohmann::json({test::kTinyT5End}));
}

INSTANTIATE_TEST_SUITE_P(
    Sets,
    T5Policy,
    testing::Values(SteeredSet::kFull, SteeredSet::kLora),
    [](const auto& set) { return enum_name(set.param); });

}  // namespace
}  // namespace moft
