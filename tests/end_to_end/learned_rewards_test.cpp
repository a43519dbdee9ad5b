// Learned rewards as a user writes them: every example of docs/rewards.md, in a
// recipe that the real program checks and trains.
#include <algorithm>
#include <cmath>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/support.h"
#include "tests/support/tiny_model.h"
#include "tests/support/tiny_t5.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

// The yaml blocks of a page's section.
Words examples_of(const std::string& page, const std::string& section) {
  const std::size_t begin = page.find("\n## " + section + "\n");
  const std::size_t end = page.find("\n## ", begin + 1);
  const std::string text = page.substr(begin, end - begin);
  const std::string fence = "```";
  Words blocks;
  std::size_t at = 0;
  while ((at = text.find(fence + "yaml\n", at)) != std::string::npos) {
    const std::size_t first = text.find('\n', at) + 1;
    const std::size_t last = text.find("\n" + fence, first) + 1;
    blocks.push_back(text.substr(first, last - first));
    at = last + fence.size();
  }
  return blocks;
}

class LearnedRewards : public testing::Test {
 protected:
  LearnedRewards() {
    write_tiny_task(folder());
    const fs::path reference =
        fs::path(MOFT_SOURCE_DIR) / "tests/reference/models/classifiers";
    fs::create_directories(folder() / "models");
    fs::copy(reference / "bert", folder() / "models/nli");
    fs::copy(reference / "qwen3", folder() / "models/reward");
    write_tiny_t5(folder() / "models/t5-nli");
    std::string lines;
    for (const char* post : {"a bakery", "a fan", "two books", "a garden"})
      lines += nlohmann::json{{"word", "one"}, {"post", post}}.dump() + "\n";
    for (const char* file : {"train.jsonl", "heldout.jsonl"}) {
      std::ofstream(folder() / file)
          << (file[0] == 't' ? lines
                             : "{\"word\": \"nine\", \"post\": \"a shop\"}\n");
    }
    recipe_ = read_all(folder() / "recipe.yaml");
  }

  const fs::path& folder() const { return scratch_.path(); }

  // recipe.yaml with these objectives in place of its own.
  void write_recipe(const std::string& objectives) const {
    const std::size_t begin = recipe_.find("objectives:\n");
    const std::size_t end = recipe_.find("conditioning:\n");
    ASSERT_NE(begin, std::string::npos);
    std::ofstream(folder() / "recipe.yaml")
        << recipe_.substr(0, begin) + objectives + recipe_.substr(end);
  }

  Scratch scratch_;
  std::string recipe_;
};

TEST_F(LearnedRewards, TheExamplesOfThePageTrain) {
  const std::string page =
      read_all(fs::path(MOFT_SOURCE_DIR) / "docs/rewards.md");
  const Words examples = examples_of(page, "Learned rewards");
  ASSERT_GE(examples.size(), 4U);
  for (const std::string& example : examples) {
    SCOPED_TRACE(example);
    write_recipe(example);
    const Ended check =
        run_program(folder(), {"recipe", "check", "recipe.yaml"});
    EXPECT_EQ(check.code, 0) << check.output << check.errors;
    const Ended train = run_program(
        folder(), {"train", "recipe.yaml", "training.steps=2", "--overwrite"});
    EXPECT_EQ(train.code, 0) << train.errors;
    const std::string metrics = read_all(folder() / "run/metrics.jsonl");
    EXPECT_EQ(std::count(metrics.begin(), metrics.end(), '\n'), 2);
  }
}

// A run that stopped continues with the same bits.
TEST_F(LearnedRewards, AResumedRunEndsInTheSameBits) {
  write_recipe(
      "objectives:\n"
      "  sure: {classifier: {model: models/nli, label: entailment, premise: "
      "\"{post}\"}}\n"
      "  liked: {preference: {model: models/reward}}\n");
  const Words train = {"train", "recipe.yaml"};
  const auto policy = [&] {
    return read_all(folder() / "run/policy/steering.safetensors");
  };
  EXPECT_EQ(run_program(folder(), with(train, {"training.steps=3"})).code, 0);
  const std::string whole = policy();
  EXPECT_EQ(
      run_program(folder(), with(train, {"training.steps=2", "--overwrite"}))
          .code,
      0);
  EXPECT_NE(policy(), whole);
  EXPECT_EQ(
      run_program(
          folder(), with(train, {"training.steps=3", "--resume", "auto"}))
          .code,
      0);
  EXPECT_EQ(policy(), whole);
}

TEST_F(LearnedRewards, CheckNamesWhatIsWrong) {
  const auto problem = [&](const std::string& settings) {
    write_recipe("objectives:\n  x: " + settings + "\n");
    const Ended check =
        run_program(folder(), {"recipe", "check", "recipe.yaml"});
    EXPECT_EQ(check.code, 2);
    return check.output + check.errors;
  };
  EXPECT_TRUE(
      has(problem("{classifier: {model: models/nli, label: good}}"),
          "entailment, neutral, contradiction"));
  EXPECT_TRUE(
      has(problem("{classifier: {model: models/nli, label: \"0\", text: "
                  "\"{title}\"}}"),
          "title"));
  EXPECT_TRUE(
      has(problem("{classifier: {model: base, label: \"0\"}}"),
          "LlamaForCausalLM"));
  EXPECT_TRUE(has(problem("{preference: {model: models/t5-nli}}"), "\"t5\""));
}

}  // namespace
}  // namespace moft::test
