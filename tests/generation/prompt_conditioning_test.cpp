// The weighting in words in the prompt; the reference reads the plain one.
#include <fstream>
#include <set>

#include <nlohmann/json.hpp>

#include "tests/generation/support.h"
#include "tests/support/tiny_t5.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

using test::same_bits;

class PromptConditioning : public test::TinyPolicyTest,
                           public testing::WithParamInterface<bool> {
 protected:
  PromptConditioning() {
    fs::remove_all(base());
    if (GetParam()) {
      test::write_tiny_t5(base());
    } else {
      test::TinyModel shape;
      shape.numbers = true;
      test::write_tiny_model(base(), shape);
    }
  }

  std::unique_ptr<SteeredPolicy> make_prompted(
      SteeredSet set, bool common_adapter = false) const {
    PolicyDefinition made = definition(set);
    made.objectives = {{"nli", 0, 1}, {"rouge", 0, 1}};
    made.conditioning.prompt.emplace();
    made.conditioning.prompt->names = {{"nli", "factuality"}};
    made.conditioning.prompt->common_adapter = common_adapter;
    LoadedModel loaded = load_language_model(base());
    auto tokenizer = load_base_tokenizer(base(), loaded);
    return std::make_unique<SteeredPolicy>(
        std::move(loaded), std::move(tokenizer), made, 7);
  }

  static Steering steering(double w) { return {Weighting({w, 1 - w}), 0.1}; }

  static std::vector<float> log_probs(
      SteeredPolicy& policy,
      const Prompt& prompt,
      const std::optional<Steering>& wanted) {
    return policy.score({{prompt, {5, 9, 1}, wanted}}, {})[0].log_probs;
  }
};

constexpr const char* kWords =
    "factuality: 0.4 0.4 0.4 0.4 0.4; rouge: 0.6 0.6 0.6 0.6 0.6. ";

// The template is "say {text}": the words begin the field, and the whole is
// one text.
TEST_P(PromptConditioning, ThePapersStringBeginsTheFirstField) {
  const auto policy = make_prompted(SteeredSet::kNone);
  const Prompt plain = policy->fill_prompt("the fox");
  EXPECT_EQ(policy->info().prompt.words_of(Weighting({0.4, 0.6})), kWords);
  const TokenIds read = policy->conditioned_prompt(plain, steering(0.4));
  const std::string whole = "say " + std::string(kWords) + "the fox";
  EXPECT_EQ(read, policy->tokenizer().encode(whole));
  if (!GetParam()) {  // the tiny T5's vocabulary has not every digit
    EXPECT_EQ(policy->tokenizer().decode(read), whole);
  }
  EXPECT_EQ(policy->conditioned_prompt(plain, std::nullopt), plain.ids);
  EXPECT_EQ(plain.ids, policy->tokenizer().encode("say the fox"));
}

// `moft score` gives the prompt whole; it means the same.
TEST_P(PromptConditioning, AWholePromptHasItsWordsInTheSamePlace) {
  const auto policy = make_prompted(SteeredSet::kNone);
  const Prompt filled = policy->fill_prompt("the fox");
  const Prompt whole =
      policy->whole_prompt("say the fox", "here", steering(0.4));
  EXPECT_EQ(whole.ids, filled.ids);
  EXPECT_EQ(
      policy->conditioned_prompt(whole, steering(0.4)),
      policy->conditioned_prompt(filled, steering(0.4)));
  EXPECT_THROW(
      policy->whole_prompt("the fox", "here", steering(0.4)), CallerError);
  EXPECT_EQ(
      policy->whole_prompt("the fox", "here", std::nullopt).ids,
      policy->tokenizer().encode("the fox"));
}

TEST_P(PromptConditioning, OnlyTheWeightingIsInTheWords) {
  const auto policy = make_prompted(SteeredSet::kNone);
  const Prompt plain = policy->fill_prompt("the fox");
  Steering other = steering(0.4);
  other.alpha = 0.9;
  EXPECT_EQ(
      policy->conditioned_prompt(plain, steering(0.4)),
      policy->conditioned_prompt(plain, other));
  EXPECT_NE(
      policy->conditioned_prompt(plain, steering(0.4)),
      policy->conditioned_prompt(plain, steering(0.5)));
}

// S = none: the words are all that steers.
TEST_P(PromptConditioning, AloneItIsThePlainModelOnThosePrompts) {
  const auto policy = make_prompted(SteeredSet::kNone);
  const auto plain = load_policy(base());
  const Prompt prompt = policy->fill_prompt("the fox");
  for (const double w : {0.4, 1.0}) {
    const TokenIds read = policy->conditioned_prompt(prompt, steering(w));
    ScoreBatch batch;
    batch.prompts = {read};
    batch.completions = {{5, 9, 1}};
    batch.prompt_of_row = {0};
    EXPECT_TRUE(same_bits(
        logits(
            policy->model(),
            batch,
            RowSteering::uniform(policy->coefficients_of(steering(w)))),
        logits(
            plain->model(),
            batch,
            RowSteering::uniform(Coefficients::frozen_reference()))));
  }
  EXPECT_NE(
      log_probs(*policy, prompt, steering(0.4)),
      log_probs(*policy, prompt, steering(1.0)));
  EXPECT_EQ(policy->conditioning()->counts().steered, 0);
  EXPECT_EQ(
      policy->conditioning()->counts().policy,
      policy->model().info().parameters);
}

// The adapters mixed in equal parts are one adapter; w is in the words alone.
TEST_P(PromptConditioning, ACommonAdapterIsTheEqualMixtureUnderEveryWeighting) {
  auto policy = make_prompted(SteeredSet::kLora, /*common_adapter=*/true);
  auto mixed = make_prompted(SteeredSet::kLora);
  test::perturb(*policy->conditioning());
  test::perturb(*mixed->conditioning());
  const Prompt prompt = policy->fill_prompt("the fox");
  const Coefficients equal = mixed->coefficients_of(steering(0.5));
  std::set<TokenIds> read;
  for (const double w : {0.0, 0.2, 0.5, 1.0}) {
    EXPECT_EQ(policy->coefficients_of(steering(w)), equal);
    ScoreBatch batch;
    batch.prompts = {policy->conditioned_prompt(prompt, steering(w))};
    batch.completions = {{5, 9, 1}};
    batch.prompt_of_row = {0};
    read.insert(batch.prompts[0]);
    EXPECT_TRUE(same_bits(
        logits(
            policy->model(),
            batch,
            RowSteering::uniform(policy->coefficients_of(steering(w)))),
        logits(mixed->model(), batch, RowSteering::uniform(equal))));
  }
  EXPECT_EQ(read.size(), 4U);
  Steering reference = steering(0.2);
  reference.alpha = 1.0;
  EXPECT_EQ(policy->coefficients_of(reference).reference(), 1.0);
  EXPECT_EQ(
      policy->conditioning()->counts().steered,
      mixed->conditioning()->counts().steered);
}

TEST_P(PromptConditioning, ACommonAdapterIsRememberedAndNeedsLora) {
  auto policy = make_prompted(SteeredSet::kLora, /*common_adapter=*/true);
  test::perturb(*policy->conditioning());
  save_policy(*policy, base(), folder_ / "policy", "card\n");
  const auto loaded = load_policy(folder_ / "policy");
  EXPECT_TRUE(loaded->info().words_alone);
  EXPECT_EQ(
      loaded->coefficients_of(steering(0.2)),
      policy->coefficients_of(steering(0.5)));
  const Prompt prompt = policy->fill_prompt("the fox");
  EXPECT_EQ(
      log_probs(*loaded, prompt, steering(0.3)),
      log_probs(*policy, prompt, steering(0.3)));
  ConditioningOptions options;
  options.steered_set = SteeredSet::kNone;
  options.prompt.emplace().common_adapter = true;
  try {
    options.check("conditioning.");
    FAIL() << "a common adapter without adapters";
  } catch (const CallerError& error) {
    EXPECT_STREQ(
        error.what(),
        "conditioning.prompt.common_adapter is true but "
        "conditioning.steered_set is none; give steered_set: lora, or leave "
        "common_adapter out");
  }
}

// Scoring and sampling compare with the reference on the plain prompt.
TEST_P(PromptConditioning, TheReferenceReadsThePlainPrompt) {
  for (const SteeredSet set :
       {SteeredSet::kNone,
        SteeredSet::kFull,
        SteeredSet::kAttention,
        SteeredSet::kLogits,
        SteeredSet::kLora}) {
    auto policy = make_prompted(set);
    test::perturb(*policy->conditioning());
    const Prompt prompt = policy->fill_prompt("the fox");
    const Prompt other = policy->fill_prompt("a");
    std::vector<CompletionRequest> requests;
    std::uint32_t row = 0;
    for (const double w : {0.4, 1.0}) {
      for (const Prompt& text : {prompt, other}) {
        requests.push_back({text, steering(w), {5, Purpose::kToken, 0, row++}});
      }
    }
    GenerateOptions options;
    options.max_new_tokens = 5;
    options.rows_at_once = 3;
    const auto rows = policy->complete_with_kl(requests, options);
    std::vector<ScoreRequest> scoring;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      scoring.push_back(
          {requests[r].prompt, rows[r].tokens, requests[r].steering});
    }
    const auto scores =
        policy->score(scoring, {.with_reference = true, .with_exact_kl = true});
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const auto reference =
          policy->score({{requests[r].prompt, rows[r].tokens, {}}}, {});
      for (std::size_t t = 0; t < rows[r].tokens.size(); ++t) {
        EXPECT_NEAR(scores[r].log_probs[t], rows[r].log_probs[t], 5e-5);
        EXPECT_NEAR(scores[r].exact_kl[t], rows[r].exact_kl[t], 5e-5);
        EXPECT_NEAR(
            scores[r].reference_log_probs[t], reference[0].log_probs[t], 5e-5);
      }
    }
  }
}

TEST_P(PromptConditioning, APolicyDirectoryAndAnExportRememberTheWords) {
  auto policy = make_prompted(SteeredSet::kAttention);
  test::perturb(*policy->conditioning());
  save_policy(*policy, base(), folder_ / "policy", "card\n");
  const auto loaded = load_policy(folder_ / "policy");
  const Prompt prompt = policy->fill_prompt("the fox");
  EXPECT_EQ(
      loaded->conditioned_prompt(prompt, steering(0.4)),
      policy->conditioned_prompt(prompt, steering(0.4)));
  EXPECT_EQ(
      log_probs(*loaded, prompt, steering(0.3)),
      log_probs(*policy, prompt, steering(0.3)));
  export_policy(*policy, folder_ / "policy", steering(0.4), folder_ / "plain");
  std::ifstream file(folder_ / "plain" / "moft_export.json");
  EXPECT_EQ(
      nlohmann::json::parse(file).at("prompt_template"),
      "say " + std::string(kWords) + "{text}");
}

// The export's template, filled and given whole, is what the policy reads.
TEST_P(PromptConditioning, AnExportAnswersItsTemplateAsThePolicyDoes) {
  auto policy = make_prompted(SteeredSet::kNone);
  test::perturb(*policy->conditioning());
  save_policy(*policy, base(), folder_ / "policy", "card\n");
  export_policy(*policy, folder_ / "policy", steering(0.4), folder_ / "plain");
  const auto exported = load_policy(folder_ / "plain");
  std::ifstream file(folder_ / "plain" / "moft_export.json");
  const PromptTemplate told(
      nlohmann::json::parse(file).at("prompt_template").get<std::string>());
  Example example;
  example.fields["text"] = "the fox";
  const Prompt whole = exported->fill_prompt(told.render(example));
  EXPECT_EQ(
      whole.ids,
      policy->conditioned_prompt(
          policy->fill_prompt("the fox"), steering(0.4)));
}

// Policies of format 1 go on reading their words before the whole prompt, as
// they were trained to.
TEST_P(PromptConditioning, APolicyOfFormatOneKeepsItsWordsInFront) {
  auto policy = make_prompted(SteeredSet::kNone);
  const auto json =
      nlohmann::ordered_json::parse(definition_text(policy->definition()));
  EXPECT_EQ(json.at("format_version"), 2);
  save_policy(*policy, base(), folder_ / "policy", "card\n");
  auto older = json;
  older["format_version"] = 1;
  std::ofstream(folder_ / "policy" / "moft.json") << older.dump();
  const auto loaded = load_policy(folder_ / "policy");
  const Prompt prompt = loaded->fill_prompt("the fox");
  const TokenIds read = loaded->conditioned_prompt(prompt, steering(0.4));
  EXPECT_EQ(
      read, loaded->tokenizer().encode(kWords + std::string("say the fox")));
  EXPECT_EQ(
      loaded->info().prompt.text_under(steering(0.4).w),
      kWords + std::string("say {text}"));
  EXPECT_EQ(
      nlohmann::ordered_json::parse(definition_text(loaded->definition())),
      older);
  // Without words the two formats are the same.
  EXPECT_EQ(
      nlohmann::ordered_json::parse(
          definition_text(definition(SteeredSet::kFull)))
          .at("format_version"),
      1);
}

INSTANTIATE_TEST_SUITE_P(
    Families, PromptConditioning, testing::Bool(), [](const auto& family) {
      return std::string(family.param ? "t5" : "llama");
    });

}  // namespace
}  // namespace moft
