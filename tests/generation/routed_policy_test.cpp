// Policies that choose who answers: banks and personalised soups.
#include "moft/generation/routed_policy.h"

#include <filesystem>
#include <fstream>
#include <functional>

#include "moft/generation/bank.h"
#include "moft/generation/personalised_soup.h"
#include "moft/generation/policy_kinds.h"

#include "tests/generation/support.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

using test::same_bits;

class RoutedPolicyTest : public test::TinyPolicyTest {
 protected:
  // Policies of the same task whose copies differ, at these alphas.
  fs::path saved(const char* name, double deviation, double alpha = 0.1) const {
    PolicyDefinition changed = definition(SteeredSet::kLora);
    changed.kl_strength = alpha;
    changed.conditioning.alpha_min = std::nullopt;
    LoadedModel loaded = load_language_model(base());
    auto tokenizer = load_base_tokenizer(base(), loaded);
    SteeredPolicy policy(
        std::move(loaded), std::move(tokenizer), std::move(changed), 7);
    test::perturb(*policy.conditioning(), deviation);
    policy.record_training(10, 40);
    save_policy(policy, base(), folder_ / name, "card\n");
    return folder_ / name;
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

  // Logits, completions with their KL, and scores: the same bits.
  static void expect_same_answer(
      Policy& one,
      const std::optional<Steering>& of_one,
      Policy& other,
      const std::optional<Steering>& of_other) {
    const Prompt prompt = one.fill_prompt("the fox");
    EXPECT_TRUE(same_bits(
        one.next_logits(prompt, of_one), other.next_logits(prompt, of_other)));
    const RowKey key{3, Purpose::kTest, 0, 0};
    const auto a = one.complete_with_kl({{prompt, of_one, key}}, {}).at(0);
    const auto b = other.complete_with_kl({{prompt, of_other, key}}, {}).at(0);
    EXPECT_EQ(a.tokens, b.tokens);
    EXPECT_EQ(a.log_probs, b.log_probs);
    EXPECT_EQ(a.exact_kl, b.exact_kl);
    EXPECT_EQ(
        one.score({{prompt, a.tokens, of_one}}, {}).at(0).log_probs,
        other.score({{prompt, a.tokens, of_other}}, {}).at(0).log_probs);
  }
};

TEST(Bank, TheNearestEntryIsThatOfTheNearestAlphaThenInL1TiesToTheEarlier) {
  const std::vector<Steering> entries{
      {Weighting({1.0, 0.0}), 0.1},
      {Weighting({0.4, 0.6}), 0.1},
      {Weighting({0.2, 0.8}), 0.1},
      {Weighting({0.2, 0.8}), 0.5}};
  const auto nearest = [&](double w, double alpha) {
    return nearest_entry(entries, {Weighting({w, 1 - w}), alpha});
  };
  EXPECT_EQ(nearest(1.0, 0.1), 0U);
  EXPECT_EQ(nearest(0.4, 0.1), 1U);
  EXPECT_EQ(nearest(0.3, 0.1), 1U);  // between .4 and .2
  EXPECT_EQ(nearest(0.7, 0.1), 0U);  // between 1 and .4
  EXPECT_EQ(nearest(0.69, 0.1), 1U);
  EXPECT_EQ(nearest(0.0, 0.2), 2U);
  EXPECT_EQ(nearest(0.0, 0.3), 2U);  // between .1 and .5
  EXPECT_EQ(nearest(1.0, 0.31), 3U);
}

TEST_F(RoutedPolicyTest, ABankAnswersWithTheRunOfTheRequestElseTheNearest) {
  const auto a = saved("a", 0.2);
  const auto b = saved("b", 0.4);
  const auto c = saved("c", 0.3, 0.5);
  const Weighting at_a = Weighting::corner(2, 0);
  const Weighting at_b({0.5, 0.5});
  save_bank({{a, at_a}, {b, at_b}, {c, at_b}}, folder_ / "bank");
  const auto bank = open_policy(folder_ / "bank", {{}, 4});
  EXPECT_EQ(bank->info().kind, "bank");
  EXPECT_EQ(bank->info().steps, 30);
  EXPECT_EQ(bank->info().answers, 120);
  EXPECT_EQ(bank->kl_range().alpha_min(), 0.1);
  const auto first = open_policy(a);
  const auto second = open_policy(b);
  const auto third = open_policy(c);
  expect_same_answer(*bank, Steering{at_a, 0.1}, *first, Steering{at_a, 0.1});
  expect_same_answer(*bank, Steering{at_b, 0.1}, *second, Steering{at_b, 0.1});
  expect_same_answer(*bank, Steering{at_b, 0.5}, *third, Steering{at_b, 0.5});
  expect_same_answer(*bank, std::nullopt, *first, std::nullopt);
  const Steering between{Weighting({0.7, 0.3}), 0.2};
  testing::internal::CaptureStderr();
  expect_same_answer(*bank, between, *second, Steering{at_b, 0.1});
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(
      log.find("the bank has no run for short=0.7,kind=0.3 at alpha 0.2; the "
               "nearest, short=0.5,kind=0.5 at alpha 0.1, answers"),
      std::string::npos)
      << log;
  // Once.
  EXPECT_EQ(log.find("the bank"), log.rfind("the bank"));
  // Answers come back in the order of the requests.
  const Prompt prompt = bank->fill_prompt("a");
  const RowKey key{3, Purpose::kTest, 0, 5};
  std::vector<CompletionRequest> mixed;
  for (const Weighting& w : {at_b, at_a, at_b})
    mixed.push_back({prompt, Steering{w, 0.1}, key});
  std::vector<std::int64_t> told(3);
  const auto answers =
      bank->complete(mixed, {}, [&](std::size_t row, std::int32_t, float) {
        ++told[row];
        return true;
      });
  for (std::size_t r = 0; r < mixed.size(); ++r) {
    EXPECT_EQ(answers[r].tokens, bank->complete({mixed[r]}, {}).at(0).tokens);
    EXPECT_EQ(told[r], std::ssize(answers[r].tokens));
  }
  expect_refusal([&] { bank->open_decoder({}); }, "token by token");
  expect_refusal(
      [&] {
        bank->next_logits(prompt, Steering{at_a, 0.05});
      },
      "give a number from 0.1");
}

TEST_F(RoutedPolicyTest, ABankExportsTheRunThatAnswers) {
  const auto a = saved("a", 0.2);
  const Weighting w({0.5, 0.5});
  save_bank({{a, w}}, folder_ / "bank");
  open_policy(folder_ / "bank")
      ->export_model(Steering{w, 0.1}, folder_ / "of_bank");
  open_policy(a)->export_model(Steering{w, 0.1}, folder_ / "of_run");
  const Prompt prompt = open_policy(a)->fill_prompt("the fox");
  EXPECT_TRUE(same_bits(
      open_policy(folder_ / "of_bank")->next_logits(prompt, std::nullopt),
      open_policy(folder_ / "of_run")->next_logits(prompt, std::nullopt)));
}

TEST_F(RoutedPolicyTest, BanksOfDifferentTasksAndChangedFilesAreRefused) {
  const auto a = saved("a", 0.2);
  const auto b = saved("b", 0.4);
  const Weighting w({0.5, 0.5});
  expect_refusal(
      [&] {
        save_bank({{a, w}, {b, w}}, folder_ / "bank");
      },
      "give each once");
  expect_refusal([&] { save_bank({}, folder_ / "bank"); }, "a bank of 0 runs");
  expect_refusal(
      [&] {
        save_bank({{a, Weighting::uniform(3)}}, folder_ / "bank");
      },
      "2 objectives");
  auto json = nlohmann::json::parse(std::ifstream(b / "moft.json"));
  json["temperature"] = 0.5;
  test::write_tiny_text(b / "moft.json", json.dump());
  expect_refusal(
      [&] {
        save_bank({{a, w}, {b, Weighting::corner(2, 1)}}, folder_ / "bank");
      },
      "temperature");
  EXPECT_FALSE(fs::exists(folder_ / "bank"));
  save_bank({{a, w}}, folder_ / "bank");
  const fs::path file = folder_ / "bank" / "moft.json";
  const auto good = nlohmann::json::parse(std::ifstream(file));
  const auto expect_change =
      [&](const std::function<void(nlohmann::json&)>& change,
          const std::string& words) {
        auto changed = good;
        change(changed);
        test::write_tiny_text(file, changed.dump());
        expect_refusal([&] { open_policy(folder_ / "bank"); }, words);
      };
  expect_change([](auto& j) { j["members"] = 3; }, "members");
  expect_change([](auto& j) { j["members"].clear(); }, "members");
  expect_change(
      [](auto& j) { j["members"].push_back(j["members"][0]); }, "member-2");
  expect_change(
      [](auto& j) {
        j["members"][0]["weights"] = {0.7, 0.7};
      },
      "weights");
  expect_change(
      [](auto& j) { j["members"][0]["files"]["moft.json"] = "0"; },
      "moft.json: is not the file");
}

TEST(PersonalisedSoup, TheNearestBinaryPointIsInL1TiesToFewerObjectives) {
  const auto nearest = [](std::vector<double> w) {
    return nearest_binary(Weighting(std::move(w))).values();
  };
  using Values = std::vector<double>;
  EXPECT_EQ(nearest({1, 0}), (Values{1, 0}));
  EXPECT_EQ(nearest({0.5, 0.5}), (Values{0.5, 0.5}));
  EXPECT_EQ(nearest({0.75, 0.25}), (Values{1, 0}));  // between the two
  EXPECT_EQ(nearest({0.74, 0.26}), (Values{0.5, 0.5}));
  EXPECT_EQ(nearest({0.2, 0.3, 0.5}), (Values{1 / 3., 1 / 3., 1 / 3.}));
  EXPECT_EQ(nearest({0.1, 0.45, 0.45}), (Values{0, 0.5, 0.5}));
  EXPECT_EQ(
      nearest({0.333333, 0.333333, 0.333334}),
      (Values{1 / 3., 1 / 3., 1 / 3.}));
}

// psoup({1, 2}) = soup(.5, .5), psoup({i}) = expert i.
TEST_F(RoutedPolicyTest, APersonalisedSoupIsTheSoupAtBinaryPointsBitForBit) {
  const auto soup = saved("soup", 0.2);
  const auto plain = open_policy(soup);
  save_personalised_soup(soup, SoupRounding::kNone, folder_ / "strict");
  save_personalised_soup(soup, SoupRounding::kBinary, folder_ / "rounded");
  const auto strict = open_policy(folder_ / "strict");
  const auto rounded = open_policy(folder_ / "rounded");
  EXPECT_EQ(strict->info().kind, "personalised_soup");
  for (const Weighting& w :
       {Weighting::corner(2, 0),
        Weighting::corner(2, 1),
        Weighting({0.5, 0.5})}) {
    const Steering steering{w, 0.1};
    expect_same_answer(*strict, steering, *plain, steering);
    expect_same_answer(*rounded, steering, *plain, steering);
  }
  const Steering graded{Weighting({0.9, 0.1}), 0.1};
  const Prompt prompt = strict->fill_prompt("the fox");
  expect_refusal(
      [&] { strict->next_logits(prompt, graded); },
      "weights are short=0.9,kind=0.1; a personalised soup takes equal weights "
      "on a set of objectives only: give short=1,kind=0");
  testing::internal::CaptureStderr();
  expect_same_answer(
      *rounded, graded, *plain, Steering{Weighting::corner(2, 0), 0.1});
  EXPECT_NE(
      testing::internal::GetCapturedStderr().find(
          "answers short=0.9,kind=0.1 as short=1,kind=0"),
      std::string::npos);
  auto json =
      nlohmann::json::parse(std::ifstream(folder_ / "strict" / "moft.json"));
  json["round"] = "up";
  test::write_tiny_text(folder_ / "strict" / "moft.json", json.dump());
  expect_refusal([&] { open_policy(folder_ / "strict"); }, "round");
}

}  // namespace
}  // namespace moft
