// Mixtures of logits on a tiny model: equal to the mixture of the models'
// log-probabilities, and to one model bit for bit where only one is mixed.
#include "moft/generation/logit_mixture.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>

#include "moft/generation/policy_kinds.h"

#include "tests/generation/support.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

using test::same_bits;

class LogitMixtureTest : public test::TinyPolicyTest {
 protected:
  std::unique_ptr<SteeredPolicy> mixture(
      LogitMixture kind, double lambda_max = 1.0) const {
    return mix_logits(make_trained(SteeredSet::kLora), {kind, lambda_max});
  }

  // Log-probabilities of the token after the prompt, in double.
  static at::Tensor log_probs(
      Policy& policy, const std::optional<Steering>& steering) {
    return (policy.next_logits(prompt(policy), steering).to(at::kDouble) /
            policy.temperature())
        .log_softmax(-1);
  }

  static Prompt prompt(const Policy& policy) {
    return policy.fill_prompt("the fox");
  }

  static void expect_near(const at::Tensor& found, const at::Tensor& wanted) {
    EXPECT_LT((found - wanted).abs().max().item<double>(), 2e-5);
  }

  static std::vector<CompletionRequest> requests(
      const Policy& policy, const std::vector<std::optional<Steering>>& all) {
    std::vector<CompletionRequest> result;
    for (std::uint32_t r = 0; r < 3; ++r) {
      for (const auto& steering : all) {
        result.push_back(
            {policy.fill_prompt(r == 1 ? "a" : "the fox"),
             steering,
             {3, Purpose::kTest, 0, r}});
      }
    }
    return result;
  }

  // Completions, their KL to the reference, and scores: the same bits.
  static void expect_same_model(
      Policy& one,
      const std::optional<Steering>& steering_of_one,
      Policy& other,
      const std::optional<Steering>& steering_of_other) {
    EXPECT_TRUE(same_bits(
        one.next_logits(prompt(one), steering_of_one),
        other.next_logits(prompt(other), steering_of_other)));
    GenerateOptions options;
    options.max_new_tokens = 8;
    const auto given = requests(one, {steering_of_one});
    const auto a = one.complete_with_kl(given, options);
    const auto b =
        other.complete_with_kl(requests(other, {steering_of_other}), options);
    std::vector<ScoreRequest> of_one;
    std::vector<ScoreRequest> of_other;
    for (std::size_t r = 0; r < a.size(); ++r) {
      EXPECT_EQ(a[r].tokens, b[r].tokens);
      EXPECT_EQ(a[r].log_probs, b[r].log_probs);
      EXPECT_EQ(a[r].exact_kl, b[r].exact_kl);
      EXPECT_EQ(a[r].text, b[r].text);
      of_one.push_back({given[r].prompt, a[r].tokens, steering_of_one});
      of_other.push_back({given[r].prompt, a[r].tokens, steering_of_other});
    }
    const ScoreOptions all{.with_reference = true, .with_exact_kl = true};
    const auto scores = one.score(of_one, all);
    const auto others = other.score(of_other, all);
    for (std::size_t r = 0; r < a.size(); ++r) {
      EXPECT_EQ(scores[r].log_probs, others[r].log_probs);
      EXPECT_EQ(scores[r].reference_log_probs, others[r].reference_log_probs);
      EXPECT_EQ(scores[r].exact_kl, others[r].exact_kl);
    }
  }

  static void expect_refusal(
      const std::function<void()>& attempt, const std::string& words) {
    try {
      attempt();
      ADD_FAILURE() << words;
    } catch (const CallerError& error) {
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos)
          << error.what();
    }
  }

  const Weighting w_{{0.3, 0.7}};
};

TEST_F(LogitMixtureTest, DeraMixesLogProbabilitiesOfPolicyAndReference) {
  const auto alone = make_trained(SteeredSet::kLora);
  const auto dera = mixture(LogitMixture::kDera);
  EXPECT_EQ(dera->info().kind, "dera");
  EXPECT_EQ(dera->default_alpha(), 0.1);
  for (const double alpha : {0.1, 0.2, 0.5, 0.9}) {
    const double lambda = 0.1 * (1 - alpha) / (alpha * 0.9);
    const at::Tensor mixed = lambda * log_probs(*alone, Steering{w_, 0.1}) +
                             (1 - lambda) * log_probs(*alone, std::nullopt);
    expect_near(log_probs(*dera, Steering{w_, alpha}), mixed.log_softmax(-1));
  }
}

TEST_F(LogitMixtureTest, DeraAtItsEndsIsTheTwoModelsBitForBit) {
  const auto alone = make_trained(SteeredSet::kLora);
  for (const double lambda_max : {1.0, 3.0}) {
    const auto dera = mixture(LogitMixture::kDera, lambda_max);
    expect_same_model(*dera, Steering{w_, 0.1}, *alone, Steering{w_, 0.1});
    expect_same_model(*dera, Steering{w_, 1.0}, *alone, std::nullopt);
    expect_same_model(*dera, std::nullopt, *alone, std::nullopt);
  }
}

// lambda 3 from .1: alpha = .1 / (.1 + 3 * .9).
TEST_F(LogitMixtureTest, DeraExtrapolatesBelowAlphaMinWhereAllowedAndSaysSo) {
  const auto alone = make_trained(SteeredSet::kLora);
  const auto dera = mixture(LogitMixture::kDera, 3.0);
  const double lowest = dera->kl_range().alpha_min();
  EXPECT_NEAR(lowest, 0.1 / 2.8, 1e-15);
  for (const double lambda : {3.0, 2.0}) {
    const double alpha = 0.1 / (0.1 + lambda * 0.9);
    const at::Tensor mixed = lambda * log_probs(*alone, Steering{w_, 0.1}) +
                             (1 - lambda) * log_probs(*alone, std::nullopt);
    expect_near(
        log_probs(*dera, Steering{w_, std::max(alpha, lowest)}),
        mixed.log_softmax(-1));
  }
  EXPECT_NE(dera->steering_way(1).find("extrapolates"), std::string::npos);
  const auto plain = mixture(LogitMixture::kDera);
  EXPECT_EQ(plain->steering_way(1).find("extrapolates"), std::string::npos);
  expect_refusal(
      [&] {
        log_probs(*plain, Steering{w_, 0.09});
      },
      "give a number from 0.1");
}

TEST_F(LogitMixtureTest, ModMixesLogProbabilitiesOfTheCornersAndTheReference) {
  const auto alone = make_trained(SteeredSet::kLora);
  const auto mod = mixture(LogitMixture::kMod);
  EXPECT_EQ(mod->info().kind, "mod");
  const auto corner = [&](std::size_t i) {
    return log_probs(*alone, Steering{Weighting::corner(2, i), 0.1});
  };
  for (const double alpha : {0.1, 0.4}) {
    const double beta = (alpha - 0.1) / (alpha * 0.9);
    const at::Tensor mixed = beta * log_probs(*alone, std::nullopt) +
                             (1 - beta) * (0.3 * corner(0) + 0.7 * corner(1));
    expect_near(log_probs(*mod, Steering{w_, alpha}), mixed.log_softmax(-1));
  }
}

TEST_F(LogitMixtureTest, ModAtACornerIsThatExpertBitForBit) {
  const auto alone = make_trained(SteeredSet::kLora);
  const auto mod = mixture(LogitMixture::kMod);
  for (std::size_t i = 0; i < 2; ++i) {
    const Steering corner{Weighting::corner(2, i), 0.1};
    expect_same_model(*mod, corner, *alone, corner);
  }
  expect_same_model(*mod, Steering{w_, 1.0}, *alone, std::nullopt);
}

// The KL of every token's distribution to the reference's, by its definition.
TEST_F(LogitMixtureTest, TheKlIsThatOfTheMixtureToTheReference) {
  for (const auto kind : {LogitMixture::kDera, LogitMixture::kMod}) {
    const auto policy = mixture(kind);
    const Steering steering{w_, 0.2};
    const auto completions =
        policy->complete_with_kl(requests(*policy, {steering}), {});
    const at::Tensor own = log_probs(*policy, steering);
    const at::Tensor reference = log_probs(*policy, std::nullopt);
    const double kl = (own.exp() * (own - reference)).sum().item<double>();
    EXPECT_GT(kl, 1e-4);
    EXPECT_NEAR(completions.at(0).exact_kl.at(0), kl, 1e-5);
    std::vector<ScoreRequest> scored;
    for (const Completion& completion : completions)
      scored.push_back({prompt(*policy), completion.tokens, steering});
    scored.erase(scored.begin() + 1);  // of another prompt
    const auto scores = policy->score(scored, {.with_exact_kl = true});
    EXPECT_NEAR(scores[0].exact_kl.at(0), kl, 1e-5);
    for (std::size_t t = 0; t < completions[0].tokens.size(); ++t) {
      EXPECT_NEAR(
          scores[0].log_probs.at(t), completions[0].log_probs.at(t), 1e-4);
    }
  }
}

// Rows of all mixtures side by side, and each alone.
TEST_F(LogitMixtureTest, ARowsBitsDoNotDependOnTheRowsBesideIt) {
  for (const auto kind : {LogitMixture::kDera, LogitMixture::kMod}) {
    const auto policy = mixture(kind);
    policy->expect_steerings(5);
    const auto all = requests(
        *policy,
        {Steering{w_, 0.2},
         Steering{Weighting::corner(2, 0), 0.1},
         std::nullopt,
         Steering{Weighting::uniform(2), 0.5}});
    GenerateOptions options;
    options.max_new_tokens = 9;
    const auto together = policy->complete_with_kl(all, options);
    options.rows_at_once = 5;
    const auto parts = policy->complete_with_kl(all, options);
    for (std::size_t r = 0; r < all.size(); ++r) {
      const auto alone = policy->complete_with_kl({all[r]}, options).at(0);
      EXPECT_EQ(together[r].tokens, alone.tokens) << r;
      EXPECT_EQ(together[r].log_probs, alone.log_probs) << r;
      EXPECT_EQ(together[r].exact_kl, alone.exact_kl) << r;
      EXPECT_EQ(parts[r].log_probs, alone.log_probs) << r;
    }
  }
}

// Prompts read in chunks, rows that join later, slots that are used again.
TEST_F(LogitMixtureTest, DecodesRowsThatJoinAndLeave) {
  const auto policy = mixture(LogitMixture::kMod);
  const Coefficients c = policy->coefficients_of(Steering{w_, 0.2});
  const auto decoder = policy->open_decoder({.slots = 2});
  const DecodeGroup group{{{3, 9, 0, 14, 2, 2, 5}}, {c}, {{0, 0}}, {4}};
  const DecodeGroup two{{{7, 7}, {1}}, {c}, {{0, 0}, {1, 0}}, {4}};
  ASSERT_EQ(decoder->admit(group).slots, (std::vector<Slot>{0}));
  EXPECT_NE(decoder->admit(two).refusal.find("slots"), std::string::npos);
  ReadyRows ready;
  int calls = 0;
  for (; ready.slots.empty(); ++calls)
    ready = decoder->prefill(3);
  EXPECT_GT(calls, 1);
  const auto whole = policy->open_decoder({});
  ASSERT_EQ(whole->admit(group).slots, (std::vector<Slot>{0}));
  EXPECT_TRUE(same_bits(ready.logits, whole->prefill().logits));
  const std::vector<Slot> slots{0};
  const std::vector<std::int32_t> tokens{4};
  EXPECT_TRUE(
      same_bits(decoder->step(slots, tokens), whole->step(slots, tokens)));
  decoder->evict(0);
  EXPECT_THROW(decoder->step(slots, tokens), CallerError);
  EXPECT_EQ(decoder->admit(two).slots, (std::vector<Slot>{0, 1}));
  EXPECT_EQ(decoder->prefill().slots, (std::vector<Slot>{0, 1}));
}

TEST_F(LogitMixtureTest, IsADirectoryThatEveryCommandOpens) {
  const auto trained = make_trained(SteeredSet::kLora);
  save_policy(*trained, base(), folder_ / "policy", "card\n");
  for (const auto kind : {LogitMixture::kDera, LogitMixture::kMod}) {
    const auto made = folder_ / enum_name(kind);
    save_logit_mixture(folder_ / "policy", {kind, 1.0}, made);
    EXPECT_EQ(describe_policy(made).kind, enum_name(kind));
    EXPECT_EQ(
        describe_policy(made).provenance.contains("base"),
        trained->info().provenance.contains("base"));
    const auto opened = open_policy(made, {{}, 3});
    const auto mixed = mixture(kind);
    expect_same_model(*opened, Steering{w_, 0.2}, *mixed, Steering{w_, 0.2});
    expect_refusal(
        [&] {
          opened->export_model(Steering{w_, 0.2}, folder_ / "out");
        },
        "is not one model under one weighting, so it cannot be exported");
    expect_refusal(
        [&] {
          save_logit_mixture(folder_ / "policy", {kind, 1.0}, made);
        },
        "exists already");
  }
}

TEST_F(LogitMixtureTest, FilesThatDoNotBelongTogetherAreRefused) {
  save_policy(
      *make_trained(SteeredSet::kLora), base(), folder_ / "policy", "card\n");
  const auto made = folder_ / "mod";
  save_logit_mixture(folder_ / "policy", {LogitMixture::kMod, 1.0}, made);
  const auto file = made / "moft.json";
  auto json = nlohmann::json::parse(std::ifstream(file));
  const auto expect_change =
      [&](const char* key, const nlohmann::json& value, const char* words) {
        auto changed = json;
        changed[key] = value;
        test::write_tiny_text(file, changed.dump());
        expect_refusal([&] { open_policy(made); }, words);
      };
  expect_change("lambda_max", 1e9, "lambda_max is");
  expect_change("lambda_max", 2.0, "does not extrapolate");
  expect_change("member", "../policy", "member");
  expect_change("member", nlohmann::json::object(), "member");
  expect_change("path", "/etc", "path");
  expect_change("format_version", 99, "format_version");
  test::write_tiny_text(file, json.dump());
  open_policy(made);
  // Another training made it.
  auto other = make(SteeredSet::kLora);
  save_policy(*other, base(), folder_ / "other", "card\n");
  fs::remove(made / "member" / "steering.safetensors");
  fs::copy(
      folder_ / "other" / "steering.safetensors",
      made / "member" / "steering.safetensors");
  expect_refusal([&] { open_policy(made); }, "steering.safetensors: is not");
}

TEST_F(LogitMixtureTest, MembersWithoutModelsToMixAreRefused) {
  const auto dera = [](PolicyInfo info) {
    mixture_info(info, {LogitMixture::kDera, 1.0}, "runs/a");
  };
  PolicyInfo info = definition(SteeredSet::kLora).info();
  dera(info);
  info.kl_range = KlRange::fixed(0.0);
  expect_refusal([&] { dera(info); }, "runs/a: was trained without KL");
  expect_refusal(
      [&] { dera(definition(SteeredSet::kNone).info()); }, "has no copies");
  auto words = definition(SteeredSet::kLora);
  words.conditioning.prompt.emplace();
  expect_refusal([&] { dera(words.info()); }, "weighting in words");
}

}  // namespace
}  // namespace moft
