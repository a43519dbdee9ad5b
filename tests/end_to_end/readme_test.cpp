// The README's chat recipe is six lines, and the README's commands run on it.
#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/end_to_end/support.h"
#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

// The first block of YAML in a page.
std::string first_yaml(const std::string& page) {
  const std::string open = "```yaml\n";
  const std::size_t begin = page.find(open) + open.size();
  return page.substr(begin, page.find("```", begin) - begin);
}

TEST(Readme, TheChatRecipeIsSixLinesAndItsCommandsRun) {
  const std::string recipe =
      first_yaml(read_all(fs::path(MOFT_SOURCE_DIR) / "README.md"));
  EXPECT_EQ(std::count(recipe.begin(), recipe.end(), '\n'), 6) << recipe;
  const Scratch scratch;
  const fs::path& folder = scratch.path();
  write_tiny_text(folder / "chat.yaml", recipe);
  std::smatch model;
  ASSERT_TRUE(
      std::regex_search(recipe, model, std::regex(R"(model: ([^}\s]+))")));
  write_tiny_model(folder / model[1].str());
  write_tiny_text(
      folder / model[1].str() / "tokenizer_config.json",
      R"({"chat_template": "{% for m in messages %}{{ m.content }}<end>)"
      R"({% endfor %}"})");
  for (const char* name : {"chats", "heldout"}) {
    const std::string word = name;
    write_tiny_text(
        folder / (word + ".jsonl"),
        R"({"messages": [{"role": "user", "content": ")" + word +
            R"( one"}, {"role": "assistant", "content": "yes"}]})" + "\n" +
            R"({"messages": [{"role": "user", "content": ")" + word +
            R"( two"}, {"role": "assistant", "content": "no"}]})" + "\n");
  }
  const auto run = [&](const Words& words) {
    const Ended ended = run_program(folder, words);
    EXPECT_EQ(ended.code, 0) << ended.output << ended.errors;
    return ended.output;
  };
  const Words small = {
      "device=cpu",
      "threads=1",
      "training.steps=1",
      "training.prompts_per_step=2",
      "training.samples_per_prompt=2",
      "training.max_new_tokens=8"};
  const std::string check = run(with({"recipe", "check", "chat.yaml"}, small));
  EXPECT_TRUE(has(check, "dialogues through the model's chat template"))
      << check;
  const std::string scores = run(with({"calibrate", "chat.yaml"}, small));
  EXPECT_TRUE(has(scores, "similar")) << scores;
  run(with({"train", "chat.yaml"}, small));
  EXPECT_TRUE(fs::exists(folder / "runs/chat/policy/chat_template.jinja"));
  run({"evaluate", "runs/chat", "--weightings", "3"});
  const Words ask = {
      "sweep", "runs/chat", "--prompt", "hi", "--max-new-tokens", "8"};
  EXPECT_TRUE(has(run(ask), "similar"));
}

}  // namespace
}  // namespace moft::test
