// A kind of policy from outside: one entry in the table, and everything that
// works on policies works on it.
#include "moft/generation/policy_kinds.h"

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/generation/knob_effects.h"
#include "moft/generation/policy_start.h"
#include "moft/weightings/grid.h"

#include "tests/generation/support.h"
#include "tests/support/coin_policy.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

class PolicyKindsTest : public test::TinyPolicyTest {
 protected:
  PolicyKindsTest() {
    static bool once = [] {
      register_policy_kind(test::coin_kind());
      return true;
    }();
    EXPECT_TRUE(once);
    fs::copy(base(), coin());
    test::write_tiny_text(coin() / "moft.json", R"({"kind": "coin"})");
  }

  fs::path coin() const { return folder_ / "coin"; }
};

TEST_F(PolicyKindsTest, AKindFromOutsideOpensByItsName) {
  const auto policy = open_policy(coin(), {{}, 7});
  EXPECT_EQ(policy->info().kind, "coin");
  EXPECT_EQ(policy->names(), (std::vector<std::string>{"heads", "tails"}));
  EXPECT_EQ(dynamic_cast<test::CoinPolicy&>(*policy).expected(), 7);
  EXPECT_EQ(describe_policy(coin()).default_alpha, 0.1);
  EXPECT_EQ(knob_effects(*policy, policy->fill_prompt("it")).alpha, 1.0);
  EXPECT_NEAR(
      knob_effects(*policy, policy->fill_prompt("it")).weighting,
      std::log(9) / -std::log(0.1),
      1e-6);
}

TEST_F(PolicyKindsTest, APolicyThatNamesNoKindIsAConditionedOne) {
  const auto trained = make_trained(SteeredSet::kLora);
  save_policy(*trained, base(), folder_ / "policy", "card\n");
  const auto same_answer = [&](const char* what) {
    const auto opened = open_policy(folder_ / "policy");
    EXPECT_EQ(opened->info().kind, "clp") << what;
    const Prompt prompt = opened->fill_prompt("the fox");
    const Steering steering{Weighting({0.3, 0.7}), 0.2};
    EXPECT_TRUE(test::same_bits(
        opened->next_logits(prompt, steering),
        trained->next_logits(prompt, steering)))
        << what;
  };
  same_answer("with its kind");
  std::ifstream file(folder_ / "policy" / "moft.json");
  auto json = nlohmann::ordered_json::parse(file);
  EXPECT_EQ(json.at("kind"), "clp");
  json.erase("kind");
  test::write_tiny_text(folder_ / "policy" / "moft.json", json.dump());
  same_answer("without");
}

TEST_F(PolicyKindsTest, AModelWithoutMoftJsonIsAPlainPolicy) {
  const auto plain = open_policy(base());
  EXPECT_EQ(plain->info().kind, "plain");
  EXPECT_TRUE(plain->objectives().empty());
  EXPECT_EQ(plain->fill_prompt("a b.").ids, plain->tokenizer().encode("a b."));
}

TEST_F(PolicyKindsTest, UnknownAndRepeatedKindsAreRefused) {
  test::write_tiny_text(coin() / "moft.json", R"({"kind": "dice"})");
  try {
    open_policy(coin());
    FAIL();
  } catch (const CallerError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("dice"), std::string::npos) << text;
    EXPECT_NE(text.find("clp, dera, mod"), std::string::npos) << text;
  }
  EXPECT_THROW(register_policy_kind({"clp", nullptr, nullptr}), CallerError);
}

// What `moft generate`, `moft sweep` and `moft score` ask of a policy.
TEST_F(PolicyKindsTest, AKindFromOutsideAnswersAndScores) {
  const auto policy = open_policy(coin());
  const Prompt prompt = policy->fill_prompt("it");
  std::vector<CompletionRequest> requests;
  for (const Weighting& w : simplex_cover(2, 5))
    requests.push_back({prompt, Steering{w, 0.1}, {3, Purpose::kTest, 0, 0}});
  requests.push_back({prompt, std::nullopt, {3, Purpose::kTest, 0, 0}});
  const auto answers = policy->complete(requests, {});
  ASSERT_EQ(answers.size(), 6U);
  std::vector<ScoreRequest> given;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const double p = test::CoinPolicy::heads(requests[i].steering);
    const bool head = answers[i].text == "heads";
    const auto wanted = static_cast<float>(std::log(head ? p : 1 - p));
    EXPECT_EQ(answers[i].log_probs, std::vector<float>{wanted}) << i;
    given.push_back({prompt, answers[i].tokens, requests[i].steering});
    // All rows draw the same number: who is likelier to show heads shows them.
    for (std::size_t j = 0; j < answers.size(); ++j) {
      const bool likelier = test::CoinPolicy::heads(requests[j].steering) >= p;
      if (head && likelier) {
        EXPECT_EQ(answers[j].text, "heads") << i << j;
      }
    }
  }
  const auto scores = policy->score(given, {});
  for (std::size_t i = 0; i < answers.size(); ++i)
    EXPECT_EQ(scores.at(i).log_probs, answers[i].log_probs) << i;
}

// What asks for more than a policy promises names the kind.
TEST_F(PolicyKindsTest, WhatAKindCannotDoIsRefusedByItsName) {
  const auto expect_refusal = [&](const auto& attempt, const char* words) {
    try {
      attempt();
      ADD_FAILURE() << words;
    } catch (const CallerError& error) {
      const std::string text = error.what();
      EXPECT_NE(text.find("coin"), std::string::npos) << text;
      EXPECT_NE(text.find(words), std::string::npos) << text;
    }
  };
  const auto policy = open_policy(coin());
  expect_refusal([&] { policy->open_decoder({}); }, "token by token");
  expect_refusal(
      [&] { policy->export_model(std::nullopt, folder_ / "plain"); },
      "cannot be exported");
  // Even where the rest of the file is that of a conditioned policy.
  const auto trained = make_trained(SteeredSet::kLora);
  save_policy(*trained, base(), folder_ / "policy", "card\n");
  const fs::path file = folder_ / "policy" / "moft.json";
  auto json = nlohmann::ordered_json::parse(std::ifstream(file));
  json["kind"] = "coin";
  test::write_tiny_text(file, json.dump());
  const char* words = "moft.json: kind is \"coin\", which has no copies";
  expect_refusal([&] { read_definition(folder_ / "policy"); }, words);
  expect_refusal([&] { load_policy(folder_ / "policy"); }, words);
  expect_refusal(
      [&] { plan_start(trained->definition(), folder_ / "policy"); }, words);
}

}  // namespace
}  // namespace moft
