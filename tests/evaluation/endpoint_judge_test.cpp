// A judge at an endpoint, against a server of our own.
#include "moft/evaluation/endpoint_judge.h"

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/evaluation/judging.h"
#include "moft/rewards/outside/http_channel.h"

#include "tests/support/chat_server.h"

namespace moft {
namespace {

class EndpointJudges : public testing::Test {
 protected:
  void SetUp() override {
    try {
      require_http();
    } catch (const CallerError& error) {
      GTEST_SKIP() << error.what();
    }
  }

  EndpointJudge judge(
      const std::string& model, std::int64_t workers = 8) const {
    ChatOptions options;
    options.url = server_.url();
    options.model = model;
    options.workers = workers;
    return {options, {}, log_};
  }
  // A is the shorter one of the first `count` articles.
  static std::vector<JudgedSummaries> articles(std::size_t count) {
    std::vector<JudgedSummaries> made;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string n = std::to_string(i);
      made.push_back(
          {"It rained " + n,
           "Rain" + n,
           "It rained" + n,
           "Wet day " + n,
           "A very wet day " + n});
    }
    return made;
  }
  std::vector<std::string> lines() const {
    std::istringstream stream(server_.read("judge.jsonl"));
    std::vector<std::string> all;
    for (std::string line; std::getline(stream, line);)
      all.push_back(line);
    return all;
  }

  test::ChatServer server_;
  std::filesystem::path log_ = server_.folder() / "judge.jsonl";
};

TEST_F(EndpointJudges, AskFourTimesPerArticleAndLogEveryCall) {
  EndpointJudge shorter = judge("shorter");
  const auto summary =
      summarise_verdicts(judge_articles(shorter, articles(20)));
  EXPECT_EQ(summary.wins, 20u);
  EXPECT_EQ(summary.concise.place_bias.mean, 0);
  EXPECT_EQ(
      shorter.name(), "shorter at " + server_.url() + "/chat/completions");

  const auto asked = server_.requests();
  ASSERT_EQ(asked.size(), 80u);
  std::int64_t words = 0;
  for (const auto& request : asked) {
    EXPECT_EQ(request["path"], "/v1/chat/completions");
    EXPECT_TRUE(request["authorization"].is_null());
    EXPECT_EQ(request["body"].size(), 4u);
    EXPECT_EQ(request["body"]["temperature"], 0);
    EXPECT_EQ(request["body"]["max_tokens"], 64);
    std::istringstream text(
        request["body"]["messages"][0]["content"].get<std::string>());
    for (std::string word; text >> word;)
      ++words;
  }
  EXPECT_EQ(shorter.usage().calls, 80);
  EXPECT_EQ(shorter.usage().reused, 0);
  EXPECT_EQ(shorter.usage().prompt_tokens, words);
  EXPECT_EQ(shorter.usage().completion_tokens, 80);

  // The log has the calls in the order of the articles.
  const auto logged = lines();
  ASSERT_EQ(logged.size(), 80u);
  const auto first = nlohmann::json::parse(logged[0]);
  EXPECT_EQ(first["url"], server_.url() + "/chat/completions");
  EXPECT_EQ(first["reply"], "ANSWER: SUMMARY1");
  EXPECT_EQ(
      first["request"]["messages"][0]["content"],
      judge_prompt(
          {}, JudgeQuestion::kConcise, "It rained 0", "Rain0", "It rained0"));
}

TEST_F(EndpointJudges, UseTheRepliesOfTheLogAgain) {
  {
    EndpointJudge first = judge("shorter");
    judge_articles(first, articles(3));
  }
  // The last line was cut off.
  const std::string text = server_.read("judge.jsonl");
  std::ofstream(log_) << text.substr(0, text.size() - 20);

  EndpointJudge again = judge("shorter");
  const auto summary = summarise_verdicts(judge_articles(again, articles(4)));
  EXPECT_EQ(summary.wins, 4u);
  EXPECT_EQ(again.usage().reused, 11);
  EXPECT_EQ(again.usage().calls, 5);
  EXPECT_EQ(server_.requests().size(), 12u + 5u);
  EXPECT_EQ(lines().size(), 16u);

  // Another model is another judge.
  EndpointJudge other = judge("first");
  const auto biased = summarise_verdicts(judge_articles(other, articles(4)));
  EXPECT_EQ(other.usage().calls, 16);
  EXPECT_EQ(biased.ties, 4u);
  EXPECT_EQ(biased.concise.inconsistent, 4u);
  EXPECT_EQ(biased.concise.place_bias.mean, 1);
  EXPECT_EQ(biased.concise.null_inconsistent, 1);
}

TEST_F(EndpointJudges, ResumeAfterACallThatFailed) {
  {
    EndpointJudge failing = judge("denies-sixth", /*workers=*/1);
    try {
      judge_articles(failing, articles(3));
      ADD_FAILURE() << "no error";
    } catch (const WorldError& error) {
      EXPECT_EQ(
          std::string(error.what()),
          "judge denies-sixth at " + server_.url() +
              "/chat/completions: the server answered 401; look at "
              "key_variable; the replies so far are in the log, start again to "
              "resume");
    }
  }
  EXPECT_EQ(lines().size(), 5u);
  EndpointJudge again = judge("denies-sixth", 1);
  EXPECT_EQ(judge_articles(again, articles(3)).size(), 3u);
  EXPECT_EQ(again.usage().reused, 5);
  EXPECT_EQ(again.usage().calls, 7);
}

TEST_F(EndpointJudges, AskOnceForEqualQuestions) {
  EndpointJudge first = judge("first");
  auto same = articles(1);
  same[0].concise_b = same[0].concise_a;
  const auto verdicts = judge_articles(first, same);
  EXPECT_EQ(verdicts[0].concise.outcome(), QuestionOutcome::kInconsistent);
  EXPECT_EQ(first.usage().calls, 3);
  EXPECT_EQ(first.usage().reused, 1);
}

TEST_F(EndpointJudges, AnswersThatSayNothingCountForNobody) {
  EndpointJudge silent = judge("silent");
  const auto summary = summarise_verdicts(judge_articles(silent, articles(2)));
  EXPECT_EQ(summary.ties, 2u);
  EXPECT_EQ(summary.quality.unparsable, 4u);
  EndpointJudge uncounted = judge("no-usage");
  judge_articles(uncounted, articles(1));
  EXPECT_EQ(uncounted.usage().calls, 4);
  EXPECT_EQ(uncounted.usage().prompt_tokens, 0);
}

TEST_F(EndpointJudges, FaultsThatPassAreTriedAgainAndOthersStop) {
  EndpointJudge busy = judge("busy-once");
  EXPECT_EQ(judge_articles(busy, articles(1)).size(), 1u);
  const auto fault = [&](const std::string& model) -> std::string {
    EndpointJudge asked = judge(model);
    try {
      judge_articles(asked, articles(1));
    } catch (const WorldError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(
      fault("numbers").find("no text at choices[0].message.content"),
      std::string::npos);
  EXPECT_NE(
      fault("endless").find("the reply has over 1000000 bytes"),
      std::string::npos);
}

TEST_F(EndpointJudges, TheKeyIsSentAndNeverWritten) {
  ::setenv("MOFT_TEST_KEY", "very-secret", 1);
  ChatOptions options;
  options.url = server_.url() + "/?token=hidden";
  options.model = "first";
  options.key_variable = "MOFT_TEST_KEY";
  options.log_calls = true;
  testing::internal::CaptureStderr();
  {
    EndpointJudge asked(options, {}, log_);
    judge_articles(asked, articles(1));
  }
  const std::string written =
      testing::internal::GetCapturedStderr() + server_.read("judge.jsonl");
  ASSERT_EQ(server_.requests().size(), 4u);
  EXPECT_EQ(server_.requests()[0]["authorization"], "Bearer very-secret");
  EXPECT_EQ(server_.requests()[0]["path"], "/v1/chat/completions?token=hidden");
  EXPECT_EQ(written.find("very-secret"), std::string::npos);
  EXPECT_EQ(written.find("hidden"), std::string::npos);
  ::unsetenv("MOFT_TEST_KEY");
  EXPECT_THROW(EndpointJudge(options, {}, log_), CallerError);
}

TEST_F(EndpointJudges, RefuseALogOfSomethingElse) {
  for (const char* text :
       {"{}\n",
        "x\n",
        "{\"url\": 1, \"request\": {}, \"reply\": \"\"}\n",
        "{\"url\": \"u\", \"request\": {}, \"reply\": \"\", \"prompt_tokens\": "
        "-1, \"completion_tokens\": 0, \"seconds\": 0}\n"}) {
    std::ofstream(log_) << text;
    try {
      JudgeLog log{log_};
      ADD_FAILURE() << text;
    } catch (const CallerError& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with(log_.string() + ":1: "))
          << error.what();
    }
  }
}

TEST(ChatOptions, AddressesAndChecks) {
  EXPECT_EQ(chat_url("https://h/v1"), "https://h/v1/chat/completions");
  EXPECT_EQ(chat_url("https://h/v1/"), "https://h/v1/chat/completions");
  EXPECT_EQ(
      chat_url("https://h/v1/chat/completions?a=b"),
      "https://h/v1/chat/completions?a=b");
  ChatOptions options;
  options.url = "h";
  EXPECT_THROW(options.check(""), CallerError);
  options.url = "https://h";
  options.check("");
  options.unit = CallUnit::kGroup;
  EXPECT_THROW(options.check(""), CallerError);
}

}  // namespace
}  // namespace moft
