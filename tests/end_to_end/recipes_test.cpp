// Every recipe of the project is good, and those of the paper run: two steps on
// a random tiny model of the same family.
#include <algorithm>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/end_to_end/support.h"
#include "tests/support/tiny_t5.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = MOFT_SOURCE_DIR;
const fs::path kEncoder = kSource / "models/all-minilm-l6-v2";

std::vector<fs::path> recipes_in(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool mentions(const fs::path& recipe, const std::string& words) {
  return read_all(recipe).find(words) != std::string::npos;
}

// A tiny T5 and a few examples with every field that a recipe asks for.
class Recipes : public testing::Test {
 protected:
  Recipes() {
    write_tiny_t5(folder() / "t5");
    write_tiny_text(
        folder() / "examples.jsonl",
        R"({"document": "one two", "post": "one two", "summary": "two"})"
        "\n"
        R"({"document": "a b c", "post": "a b c", "summary": "b"})"
        "\n");
    std::string pairs;  // more than a recipe's warm-up
    for (int i = 0; i < 800; ++i) {
      pairs += fmt::format(
          R"({{"prompt": "one {}", "chosen": "a", "rejected": "b", )"
          R"("scores": {{"helpfulness": [4, 1], "verbosity": [0, 2]}}}})"
          "\n",
          i);
    }
    write_tiny_text(folder() / "pairs.jsonl", pairs);
  }

  const fs::path& folder() const { return scratch_.path(); }

  Words with_files(Words words, const fs::path& recipe) const {
    const std::string data =
        mentions(recipe, "\ndpo:") ? "pairs.jsonl" : "examples.jsonl";
    words.push_back("data.train=" + data);
    words.push_back("data.evaluation=" + data);
    const bool sft = mentions(recipe, "\nsft:");
    words.push_back(sft ? "model.random.tokenizer=t5" : "policy.model=t5");
    if (mentions(recipe, "\n    similarity:")) {
      words.push_back(
          "objectives.relevance.similarity.model=" + kEncoder.string());
    }
    return words;
  }

  Scratch scratch_;
};

TEST_F(Recipes, AreAllGood) {
  if (!fs::exists(kEncoder)) {
    GTEST_SKIP() << "models/all-minilm-l6-v2 is absent: run scripts/setup";
  }
  std::size_t checked = 0;
  for (const char* place : {"recipes", "recipes/paper"}) {
    for (const fs::path& recipe : recipes_in(kSource / place)) {
      const bool own_files = recipe.stem() == "quickstart" ||
                             mentions(recipe, "runs/reward-faithful");
      if (own_files) continue;
      Program program(
          folder(), with_files({"recipe", "check", recipe.string()}, recipe));
      EXPECT_EQ(program.exit_code(), 0) << recipe << ": " << program.errors();
      ++checked;
    }
  }
  EXPECT_GE(checked, 14U);
}

TEST_F(Recipes, AreListedByName) {
  Program program(folder(), {"recipe", "list"});
  ASSERT_EQ(program.exit_code(), 0) << program.errors();
  for (const char* place : {"recipes", "recipes/paper"}) {
    for (const fs::path& recipe : recipes_in(kSource / place)) {
      const auto name = fs::relative(recipe, kSource / "recipes");
      const std::string line = fs::path(name).replace_extension().string();
      EXPECT_NE(program.output().find(line + " "), std::string::npos) << line;
    }
  }
}

TEST_F(Recipes, ThePapersRunOnATinyModel) {
  if (!fs::exists(kEncoder)) {
    GTEST_SKIP() << "models/all-minilm-l6-v2 is absent: run scripts/setup";
  }
  for (const fs::path& recipe : recipes_in(kSource / "recipes/paper")) {
    const std::string output = recipe.stem().string();
    Words words = with_files({"train", recipe.string()}, recipe);
    for (const char* word :
         {"device=cpu",
          "threads=1",
          "training.steps=2",
          "training.prompts_per_step=3",
          "training.max_new_tokens=4",
          "--output"})
      words.push_back(word);
    words.push_back(output);
    Program program(folder(), words);
    ASSERT_EQ(program.exit_code(), 0) << recipe << ": " << program.errors();
    EXPECT_EQ(count_lines(folder() / output / "metrics.jsonl"), 2U);
    EXPECT_TRUE(fs::exists(folder() / output / "policy/moft.json"));
    fs::remove_all(folder() / output);
  }
}

}  // namespace
}  // namespace moft::test
