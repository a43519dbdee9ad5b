#include <atomic>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/rewards/length.h"
#include "moft/rewards/make_objectives.h"
#include "moft/rewards/regex_reward.h"
#include "moft/rewards/similarity.h"

#include "tests/rewards/support.h"

namespace moft {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Gives what it is told to, after failing as often as it is told to.
class Scripted : public Reward {
 public:
  explicit Scripted(std::vector<double> values)
      : Reward("scripted"), values_(std::move(values)) {}

  mutable int calls = 0;
  int failures = 0;
  bool transient = true;
  std::optional<std::size_t> bad_row;

 protected:
  std::vector<double> compute(const RewardBatch&, RewardMemo&) const override {
    ++calls;
    if (bad_row) throw RewardRowError(*bad_row, "cannot read it");
    if (calls <= failures) {
      if (transient) throw TransientRewardError("server busy");
      throw std::runtime_error("broken");
    }
    return values_;
  }

 private:
  std::vector<double> values_;
};

TEST(Reward, NonFiniteNumbersNameRewardPromptAndCompletion) {
  EXPECT_EQ(
      world_error(Scripted({1, kNan}), batch_of({"fine", "bad answer"})),
      "reward 'scripted': is nan; prompt 'prompt 1', completion "
      "'bad answer'");
}

TEST(Reward, AWrongNumberOfNumbersIsNoReward) {
  EXPECT_EQ(
      world_error(Scripted({1}), batch_of({"a", "b"})),
      "reward 'scripted': gave 1 numbers for 2 completions; prompt 'prompt 0', "
      "completion 'a'");
}

TEST(Reward, TransientFailuresAreTriedAgainAndOthersAreNot) {
  Scripted busy({0.5});
  busy.failures = 2;
  EXPECT_EQ(busy.score(batch_of({"a"})), std::vector<double>{0.5});
  EXPECT_EQ(busy.calls, 3);

  Scripted down({0.5});
  down.failures = 100;
  EXPECT_EQ(
      world_error(down, batch_of({"a"})),
      "reward 'scripted': failed 3 times in a batch of 1 that begins here: "
      "server busy; prompt 'prompt 0', completion 'a'");
  EXPECT_EQ(down.calls, Reward::kAttempts);

  Scripted broken({0.5});
  broken.failures = 1;
  broken.transient = false;
  EXPECT_NE(world_error(broken, batch_of({"a"})), "scored");
  EXPECT_EQ(broken.calls, 1);

  Scripted row({0.5});
  row.bad_row = 1;
  EXPECT_EQ(
      world_error(row, batch_of({"a", "b"})),
      "reward 'scripted': cannot read it; prompt 'prompt 1', completion 'b'");
}

TEST(Reward, ListsOfDifferentLengthsAreRefused) {
  RewardBatch batch = batch_of({"a", "b"});
  batch.prompts.pop_back();
  EXPECT_THROW(Scripted({1, 1}).score(batch), CallerError);
  batch = batch_of({"a"});
  batch.examples[0] = nullptr;
  EXPECT_THROW(Scripted({1}).score(batch), CallerError);
}

LengthOptions six_to_twenty_six() {
  LengthOptions options;
  options.full_at = 6;
  options.zero_at = 26;
  return options;
}

std::string words(int count) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += i == 0 ? "w" : " w";
  return text;
}

TEST(Length, FallsLinearlyBetweenItsEnds) {
  const LengthReward brevity("brevity", six_to_twenty_six());
  EXPECT_EQ(
      brevity.score(batch_of(
          {words(1), words(6), words(11), words(16), words(26), words(40)})),
      (std::vector<double>{1, 1, 0.75, 0.5, 0, 0}));
}

TEST(Length, RisesWhenFullLiesAboveZero) {
  EXPECT_EQ(length_reward(5, /*full_at=*/20, /*zero_at=*/10), 0);
  EXPECT_EQ(length_reward(15, 20, 10), 0.5);
  EXPECT_EQ(length_reward(25, 20, 10), 1);
}

TEST(Length, EmptyAnswersGetNothing) {
  const LengthReward brevity("brevity", six_to_twenty_six());
  EXPECT_EQ(
      brevity.score(batch_of({"", " \n\t", "."})),
      (std::vector<double>{0, 0, 1}));
}

// Words are those of every script, and an answer in invisible characters is
// none (finding A17).
TEST(Length, CountsWordsOfEveryScript) {
  const LengthReward reward(
      "brevity",
      {.unit = LengthUnit::kWords, .full_at = 2, .zero_at = 12, .gate = {}});
  EXPECT_EQ(
      reward.score(batch_of(
          {"one\u00a0two three four five six seven",
           "今天天气很好啊",
           "\u200b",
           "\u3000\ufeff"})),
      (std::vector<double>{0.5, 0.5, 0, 0}));
  EXPECT_TRUE(is_empty_answer("\u200b\u2060 "));
  EXPECT_FALSE(is_empty_answer("\u200b."));
}

TEST(Length, CountsTokensWhenAsked) {
  LengthOptions options = six_to_twenty_six();
  options.unit = LengthUnit::kTokens;
  RewardBatch batch = batch_of({"a", "a", ""});
  batch.token_counts = {16, 3, 16};
  EXPECT_EQ(
      LengthReward("brevity", options).score(batch),
      (std::vector<double>{0.5, 1, 0}));
}

TEST(Length, EqualEndsAreRefused) {
  EXPECT_THROW(LengthReward("brevity", LengthOptions{}), CallerError);
}

TEST(Gated, MultipliesByTheClippedGate) {
  const auto length =
      std::make_shared<LengthReward>("brevity", six_to_twenty_six());
  const auto gate =
      std::make_shared<Scripted>(std::vector<double>{-0.3, 0, 0.1, 0.4, 0.9});
  GateOptions options;
  options.full_at = 0.4;
  const GatedReward gated(length, gate, options);
  const std::vector<double> values =
      gated.score(batch_of({"a", "a", "a", words(16), "a"}));
  const std::vector<double> expected = {0, 0, 0.25, 0.5, 1};
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_DOUBLE_EQ(values[i], expected[i]);
  }
}

RegexOptions pattern(const std::string& text) {
  RegexOptions options;
  options.pattern = text;
  return options;
}

TEST(Regex, FindsOrDoesNotFind) {
  const RewardBatch batch =
      batch_of({"a cat.", "Cat", "", "dog \xFF c\xC3\xA4t"});
  EXPECT_EQ(
      RegexReward("r", pattern("c.t")).score(batch),
      (std::vector<double>{1, 0, 0, 1}));
  RegexOptions options = pattern("^cat$");
  options.ignore_case = true;
  EXPECT_EQ(
      RegexReward("r", options).score(batch),
      (std::vector<double>{0, 1, 0, 0}));
  options.invert = true;
  EXPECT_EQ(
      RegexReward("r", options).score(batch),
      (std::vector<double>{1, 0, 1, 1}));
}

TEST(Regex, ABadPatternIsNamedWithItsOffset) {
  try {
    RegexReward("style", pattern("ab(c"));
    FAIL() << "accepted";
  } catch (const CallerError& error) {
    EXPECT_EQ(
        std::string(error.what()),
        "style.regex.pattern: 'ab(c' does not compile at byte 4: missing "
        "closing parenthesis");
  }
}

// (a+)+$ on a long run of a's takes exponential time without a limit.
TEST(Regex, AnExplodingMatchStopsWithTheAnswer) {
  const RegexReward reward("r", pattern("(?:(?=(a+))a+)+(?<!a)$"));
  const std::string message =
      world_error(reward, batch_of({"fine", std::string(300, 'a') + "b"}));
  EXPECT_NE(message.find("matching failed"), std::string::npos) << message;
  EXPECT_NE(message.find("'prompt 1'"), std::string::npos) << message;
}

// More than the stack of the compiled pattern holds.
TEST(Regex, ALongAnswerIsMatchedByTheInterpreter) {
  const RegexReward reward("r", pattern("^(.|\\s)*z$"));
  const std::string answer(20'000, 'a');
  EXPECT_EQ(
      reward.score(batch_of({answer + "z", answer})),
      (std::vector<double>{1, 0}));
}

Objective objective(
    const std::string& name,
    std::shared_ptr<const Reward> reward,
    double low,
    double high) {
  return {name, std::move(reward), low, high};
}

std::vector<double> row_of(const at::Tensor& scores, std::int64_t row) {
  const at::Tensor values = scores[row].contiguous();
  const double* data = values.const_data_ptr<double>();
  return {data, data + values.numel()};
}

TEST(ObjectiveSet, MapsAffinelyAndNeverClips) {
  const auto reward =
      std::make_shared<Scripted>(std::vector<double>{0.2, 0.5, 0.8, 1.1, -0.4});
  const ObjectiveSet set({
      objective("relevance", reward, 0.2, 0.8),
      objective("plain", reward, 0, 1),
  });
  const Scores scores = set.score(batch_of({"a", "b", "c", "d", "e"}));
  const std::vector<double> expected = {0, 0.5, 1, 1.5, -1};
  for (std::int64_t row = 0; row < std::ssize(expected); ++row) {
    EXPECT_NEAR(
        scores.mapped[row][0].item<double>(),
        expected[static_cast<std::size_t>(row)],
        1e-12);
    EXPECT_EQ(
        scores.mapped[row][1].item<double>(),
        scores.raw[row][0].item<double>());
  }
}

TEST(ObjectiveSet, ASharedRewardIsComputedOncePerBatch) {
  const auto shared = std::make_shared<Scripted>(std::vector<double>{0.3});
  const auto length =
      std::make_shared<LengthReward>("brevity", six_to_twenty_six());
  const ObjectiveSet set({
      objective(
          "brevity",
          std::make_shared<GatedReward>(length, shared, GateOptions{}),
          0,
          1),
      objective("relevance", shared, 0, 1),
  });
  set.score(batch_of({"a"}));
  EXPECT_EQ(shared->calls, 1);
  set.score(batch_of({"b"}));
  EXPECT_EQ(shared->calls, 2);
}

TEST(ObjectiveSet, RefusesBadNamesAndRanges) {
  const auto reward = std::make_shared<Scripted>(std::vector<double>{1});
  const auto refused = [&](std::vector<Objective> objectives) {
    EXPECT_THROW(ObjectiveSet{std::move(objectives)}, CallerError);
  };
  refused({});
  refused({objective("", reward, 0, 1)});
  refused({objective("a b", reward, 0, 1)});
  refused({objective("a", reward, 0.5, 0.5)});
  refused({objective("a", reward, 1, 0)});
  refused({objective("a", reward, 0, kNan)});
  refused({objective("a", nullptr, 0, 1)});
  refused({objective("a", reward, 0, 1), objective("a", reward, 0, 1)});
}

TEST(MakeObjectives, NamesComeInAlphabeticalOrder) {
  Objectives options;
  options["style"] = {"regex", pattern("please")};
  options["brevity"] = {"length", six_to_twenty_six()};
  const ObjectiveSet set = make_objectives(options, ".");
  EXPECT_EQ(set.names(), (std::vector<std::string>{"brevity", "style"}));
  const Scores scores = set.score(batch_of({words(16), "please"}));
  EXPECT_EQ(row_of(scores.raw, 0), (std::vector<double>{0.5, 0}));
  EXPECT_EQ(row_of(scores.raw, 1), (std::vector<double>{1, 1}));
}

TEST(MakeObjectives, AGateOpensByAnotherObjectivesRawReward) {
  Objectives options;
  options["style"] = {"regex", pattern("yes")};
  options["style"].range = {-1, 3};
  LengthOptions gated = six_to_twenty_six();
  gated.gate = GateOptions{.objective = "style"};
  options["brevity"] = {"length", gated};
  const Scores scores =
      make_objectives(options, ".").score(batch_of({"yes", "no"}));
  EXPECT_EQ(row_of(scores.raw, 0), (std::vector<double>{1, 1}));
  EXPECT_EQ(row_of(scores.raw, 1), (std::vector<double>{0, 0}));
  gated.gate->objective = "styel";
  options["brevity"] = {"length", gated};
  EXPECT_THROW(make_objectives(options, "."), CallerError);
}

class Similarity : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kMiniLm / "model.safetensors")) {
      GTEST_SKIP() << "models/all-minilm-l6-v2 is absent: run scripts/setup";
    }
    options_["relevance"] = {
        "similarity",
        SimilarityOptions{.model = "all-minilm-l6-v2", .field = "post"}};
    options_["relevance"].range = {0.2, 0.8};
  }

  const std::filesystem::path kMiniLm =
      std::filesystem::path(MOFT_SOURCE_DIR) / "models/all-minilm-l6-v2";
  SimilarityOptions& similarity() {
    return options_["relevance"].find("similarity").get<SimilarityOptions>();
  }

  Objectives options_;
};

// Cosines of tests/reference/models/bert_minilm.safetensors, rows 0 with 0,
// 1 and 2.
TEST_F(Similarity, IsTheCosineOfTheReferenceEmbeddings) {
  const Scores scores =
      make_objectives(options_, kMiniLm.parent_path())
          .score(batch_of({
              "The bakery on our street opens before sunrise.",
              "Our street's bakery opens very early in the morning.",
              "My laptop fan has been rattling since the last update.",
              " \n",
          }));
  EXPECT_NEAR(scores.raw[0][0].item<double>(), 1, 1e-5);
  EXPECT_NEAR(scores.raw[1][0].item<double>(), 0.8811990, 1e-5);
  EXPECT_NEAR(scores.raw[2][0].item<double>(), -0.0988766, 1e-5);
  EXPECT_EQ(scores.raw[3][0].item<double>(), 0);
  EXPECT_NEAR(
      scores.mapped[1][0].item<double>(),
      (scores.raw[1][0].item<double>() - 0.2) / 0.6,
      1e-12);
}

// What is left of the second is the first; nothing is left of the third.
TEST_F(Similarity, WordsCopiedInLongRunsDoNotCount) {
  const std::vector<std::string> answers = {
      "Bread:", "Bread: the bakery on our street!", "Bakery on our street"};
  const RewardBatch batch =
      batch_of({answers[0], answers[1], answers[2], "a bakery on our road"});
  const Scores all =
      make_objectives(options_, kMiniLm.parent_path()).score(batch);
  similarity().longest_quote = 3;
  options_["plain"] = options_["relevance"];
  options_["plain"].find("similarity").get<SimilarityOptions>().longest_quote =
      0;
  const ObjectiveSet both = make_objectives(options_, kMiniLm.parent_path());
  ASSERT_EQ(both.names()[1], "relevance");
  const Scores own = both.score(batch);
  const auto raw = [](const Scores& scores, int row, int objective) {
    return scores.raw[row][objective].item<double>();
  };
  EXPECT_NEAR(raw(own, 1, 1), raw(all, 0, 0), 1e-6);
  EXPECT_GT(raw(all, 1, 0), raw(all, 0, 0) + 0.2);
  EXPECT_EQ(raw(own, 2, 1), 0);
  EXPECT_GT(raw(all, 2, 0), 0.5);
  for (const int row : {0, 3})
    EXPECT_NEAR(raw(own, row, 1), raw(all, row, 0), 1e-6);
  // Two objectives that differ in this alone have rewards of their own.
  for (int row = 0; row < 4; ++row)
    EXPECT_NEAR(raw(own, row, 0), raw(all, row, 0), 1e-6);
}

TEST_F(Similarity, AFreshProcessGivesTheSameBits) {
  const RewardBatch batch = batch_of({"Bread at dawn.", "Rattling laptop"});
  const ObjectiveSet old = make_objectives(options_, kMiniLm.parent_path());
  old.score(batch_of({"Something else came first."}));  // fills the cache
  const ObjectiveSet fresh = make_objectives(options_, kMiniLm.parent_path());
  EXPECT_TRUE(at::equal(old.score(batch).raw, fresh.score(batch).raw));
}

TEST_F(Similarity, AMissingFieldIsTheCallersFault) {
  similarity().field = "posts";
  const ObjectiveSet set = make_objectives(options_, kMiniLm.parent_path());
  try {
    set.score(batch_of({"a"}));
    FAIL() << "scored";
  } catch (const CallerError& error) {
    EXPECT_EQ(
        std::string(error.what()),
        "posts.jsonl:1: objective relevance needs the field 'posts', which "
        "this example does not have; did you mean 'post'?");
  }
}

TEST_F(Similarity, AMissingModelIsTheCallersFault) {
  similarity().model = "no-such-model";
  EXPECT_THROW(make_objectives(options_, kMiniLm.parent_path()), CallerError);
}

// 300 words of one token each, of which the encoder reads 254 beside its two
// marks: only those count, and it is said once.
TEST_F(Similarity, TextsBeyondTheEncodersWindowAreSaid) {
  std::string words;
  for (int k = 0; k < 300; ++k)
    words += "bread ";
  Example example{
      .id = "e1", .fields = {{"post", words}}, .where = "posts.jsonl:7"};
  RewardBatch batch = batch_of({words, words + "milk"});
  batch.examples = {&example, &example};
  const ObjectiveSet set = make_objectives(options_, kMiniLm.parent_path());
  testing::internal::CaptureStderr();
  const Scores scores = set.score(batch);
  set.score(batch);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NEAR(scores.raw[1][0].item<double>(), 1, 1e-5);
  EXPECT_EQ(
      said,
      "warning: objective relevance: the field 'post' of posts.jsonl:7 has 302 "
      "tokens, and its encoder reads 256: of longer texts the beginning counts "
      "alone (said once)\n"
      "warning: objective relevance: the completion for posts.jsonl:7 has 302 "
      "tokens, and its encoder reads 256: of longer texts the beginning counts "
      "alone (said once)\n");
  const Example brief{
      .id = "e2", .fields = {{"post", "bread"}}, .where = "posts.jsonl:8"};
  const LongTexts found =
      find_long_texts(kMiniLm, {brief, example, brief}, "post", "relevance");
  EXPECT_EQ(found.count, 1);
  EXPECT_EQ(found.longest, 302);
  EXPECT_EQ(found.window, 256);
  EXPECT_EQ(found.first, "posts.jsonl:7");
}

}  // namespace
}  // namespace moft
