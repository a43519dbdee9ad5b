// `moft judge` on the real program: two tiny runs before judges whose answers
// can be computed.
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/support.h"
#include "tests/support/chat_server.h"
#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const Words kConcise = {"--concise-weights", "a=0.8,b=0.2"};
const Words kQuality = {"--quality-weights", "a=0.2,b=0.8"};

class Judge : public testing::Test {
 protected:
  Judge() {
    write_tiny_task(folder());
    write(
        "heldout.jsonl",
        "{\"word\": \"seven\"}\n{\"word\": \"eight\"}\n"
        "{\"word\": \"nine\"}\n");
    write(
        "short.yaml",
        "objectives: {short: {length: {full_at: 0, zero_at: 40}}}\n");
  }

  const fs::path& folder() const { return scratch_.path(); }
  void write(const std::string& name, const std::string& text) const {
    write_tiny_text(folder() / name, text);
  }
  Ended run(const Words& words) const { return run_program(folder(), words); }

  void train(const std::string& output, const std::string& seed) const {
    const Ended ended = run(
        {"train",
         "recipe.yaml",
         "--output",
         output,
         "training.steps=2",
         "training.seed=" + seed});
    ASSERT_EQ(ended.code, 0) << ended.errors;
  }
  Ended judge(const Words& runs, const Words& more) const {
    Words words = with({"judge"}, runs);
    words = with(with(words, kConcise), kQuality);
    return run(with(with(words, {"--output", "judged"}), more));
  }
  json result() const {
    return json::parse(read_all(folder() / "judged/judge.json"));
  }

  // What short.yaml says of the run's greedy answers.
  std::vector<double> scores(
      const std::string& of, const std::string& weights) const {
    const Ended said = run(
        {"generate",
         of,
         "--weights",
         weights,
         "--input",
         "heldout.jsonl",
         "--greedy",
         "--max-new-tokens",
         "6"});
    EXPECT_EQ(said.code, 0) << said.errors;
    write("answers.jsonl", said.output);
    const Ended scored =
        run({"reward", "score", "short.yaml", "--input", "answers.jsonl"});
    EXPECT_EQ(scored.code, 0) << scored.errors;
    std::istringstream lines(scored.output);
    std::vector<double> values;
    for (std::string line; std::getline(lines, line);)
      values.push_back(json::parse(line).at("short"));
    return values;
  }

  const Scratch scratch_;
};

json choices(double a, double b) {
  if (a == b) return {"", ""};
  return a > b ? json{"SUMMARY1", "SUMMARY2"} : json{"SUMMARY2", "SUMMARY1"};
}

TEST_F(Judge, RewardsOfFilesDecideAsTheySayOfTheAnswers) {
  train("one", "1");
  train("two", "2");
  const Ended said = judge({"one", "two", "one"}, {"--rewards", "short.yaml"});
  ASSERT_EQ(said.code, 0) << said.errors;
  const json found = result();
  EXPECT_EQ(found["judge"], "short.yaml");
  ASSERT_EQ(found["pairs"].size(), 2u);
  const json& other = found["pairs"][0];
  EXPECT_EQ(other["a"], "one");
  EXPECT_EQ(other["b"], "two");
  ASSERT_EQ(other["verdicts"].size(), 3u);
  const auto concise_a = scores("one", "a=0.8,b=0.2");
  const auto concise_b = scores("two", "a=0.8,b=0.2");
  const auto quality_a = scores("one", "a=0.2,b=0.8");
  const auto quality_b = scores("two", "a=0.2,b=0.8");
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(
        other["verdicts"][i]["concise"], choices(concise_a[i], concise_b[i]));
    EXPECT_EQ(
        other["verdicts"][i]["quality"], choices(quality_a[i], quality_b[i]));
  }
  // A run against itself.
  const json& same = found["pairs"][1];
  EXPECT_EQ(same["ties"], 3);
  EXPECT_EQ(same["sign_test"], 1.0);
  EXPECT_EQ(same["concise"]["unparsable_answers"], 6);
  EXPECT_EQ(same["difference"]["mean"], 0.0);
  EXPECT_TRUE(has(said.output, "A = one against B = two, 3 articles"))
      << said.output;
}

TEST_F(Judge, AnEndpointIsAskedOnceForEverything) {
  train("one", "1");
  train("two", "2");
  const ChatServer server;
  const Words endpoint = {
      "--url", server.url(), "--model", "first", "--prompts", "2"};
  Ended said = judge({"one", "two"}, endpoint);
  if (has(said.errors, "without libcurl")) GTEST_SKIP() << said.errors;
  ASSERT_EQ(said.code, 0) << said.errors;
  json found = result();
  const json usage = found["usage"];
  EXPECT_EQ(found["pairs"][0]["ties"], 2);
  EXPECT_EQ(found["pairs"][0]["concise"]["place_bias"]["mean"], 1.0);
  EXPECT_EQ(usage["calls"].get<int>() + usage["reused"].get<int>(), 8);
  EXPECT_EQ(server.requests().size(), usage["calls"].get<std::size_t>());
  EXPECT_EQ(
      count_lines(folder() / "judged/judge.jsonl"), server.requests().size());
  const json content = server.requests()[0]["body"]["messages"][0]["content"];
  EXPECT_TRUE(has(content.get<std::string>(), "ARTICLE:\n> seven\n"))
      << content;

  said = judge({"one", "two"}, endpoint);
  ASSERT_EQ(said.code, 0) << said.errors;
  EXPECT_EQ(result()["usage"]["calls"], 0);
  EXPECT_EQ(result()["pairs"], found["pairs"]);
}

TEST_F(Judge, RefusesWhatItCannotCompare) {
  const auto refusal = [&](const Words& runs, const Words& more) {
    const Ended ended = judge(runs, more);
    EXPECT_EQ(ended.code, 2) << ended.output;
    return ended.errors;
  };
  EXPECT_TRUE(
      has(refusal({"one"}, {"--rewards", "short.yaml"}), "give at least two"));
  EXPECT_TRUE(has(refusal({"one", "two"}, {}), "give one judge"));
  EXPECT_TRUE(has(
      refusal({"one", "two"}, {"--rewards", "short.yaml", "--url", "http://x"}),
      "give one judge"));
  EXPECT_TRUE(
      has(refusal({"one", "two"}, {"--url", "x", "--model", "m"}),
          "url is 'x'; give one that begins with http://"));
  EXPECT_TRUE(
      has(refusal({"one", "two"}, {"--url", "http://x"}),
          "--model is missing; give"));
}

}  // namespace
}  // namespace moft::test
