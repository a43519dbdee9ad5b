// Dialogues as a user meets them: a chat data set and an instruct model.
#include <cmath>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/end_to_end/support.h"
#include "tests/support/tiny_adapter.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

// "u hi<end>a " with letters that the tiny tokenizer has.
constexpr const char* kTemplate =
    "{% for m in messages %}{{ m.role[0] + ' ' + m.content + '<end>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'a ' }}{% endif %}";

constexpr const char* kRecipe = R"(format_version: 1
name: chat
output: run
device: cpu
threads: 1
policy: {model: base}
data: {train: chats.jsonl, evaluation: heldout.jsonl}
objectives:
  a: {regex: {pattern: a}}
  b: {regex: {pattern: b}}
conditioning: {steered_set: full}
training:
  steps: 3
  prompts_per_step: 2
  samples_per_prompt: 2
  max_new_tokens: 5
  optimizer: {learning_rate: 0.01}
  guards: {kl_ceiling: null, distinct_floor: null}
)";

std::string line_of(const nlohmann::ordered_json& messages) {
  return nlohmann::ordered_json{{"messages", messages}}.dump() + "\n";
}

nlohmann::ordered_json turn(const char* role, const std::string& content) {
  return {{"role", role}, {"content", content}};
}

class Chat : public testing::Test {
 protected:
  Chat() {
    write_tiny_model(folder() / "base");
    write_tiny_text(folder() / "base/chat_template.jinja", kTemplate);
    write_tiny_text(
        folder() / "base/tokenizer_config.json", R"({"eos_token": "<end>"})");
    std::string lines;
    for (const char* word : {"one", "two", "three", "four", "five", "six"}) {
      lines += line_of(
          {turn("user", word),
           turn("assistant", "yes"),
           turn("user", "why"),
           turn("assistant", "so")});
    }
    write_tiny_text(folder() / "chats.jsonl", lines);
    write_tiny_text(
        folder() / "heldout.jsonl",
        line_of({turn("user", "seven"), turn("assistant", "no")}) +
            line_of({turn("user", "nine"), turn("assistant", "no")}));
    write_tiny_text(folder() / "recipe.yaml", kRecipe);
  }

  const fs::path& folder() const { return scratch_.path(); }

  std::string run(const Words& words) const {
    const Ended ended = run_program(folder(), words);
    EXPECT_EQ(ended.code, 0) << ended.errors;
    return ended.output;
  }

  std::vector<nlohmann::json> lines(const std::string& text) const {
    std::vector<nlohmann::json> all;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
      all.push_back(nlohmann::json::parse(line));
    return all;
  }

  Scratch scratch_;
};

// The prompts of policy, export and plain text are the same ids: their answers
// have the same probability.
TEST_F(Chat, APolicyIsTrainedOnDialoguesAndItsExportReadsTheSamePrompts) {
  run({"train", "recipe.yaml"});
  const auto definition =
      nlohmann::json::parse(read_all(folder() / "run/policy/moft.json"));
  EXPECT_EQ(definition["chat"]["templates"]["default"], kTemplate);
  EXPECT_EQ(definition["format_version"], 3);
  EXPECT_EQ(read_all(folder() / "run/policy/chat_template.jinja"), kTemplate);

  const Words weights = {"--weights", "a=0.3,b=0.7"};
  run(with({"export", "run/policy", "--to", "frozen"}, weights));
  EXPECT_EQ(read_all(folder() / "frozen/chat_template.jinja"), kTemplate);
  write_tiny_text(
      folder() / "chat.jsonl",
      line_of(
          {turn("system", "be kind"),
           turn("user", "hi"),
           turn("assistant", "yes"),
           turn("user", "why <end>"),
           turn("assistant", "no")}));
  write_tiny_text(
      folder() / "text.jsonl",
      R"({"prompt": "s be kind<end>u hi<end>a yes<end>u why end<end>a "})"
      "\n");
  const Words greedy = {"--greedy", "--max-new-tokens", "5"};
  const auto asked = [&](const Words& words) {
    return lines(run(with(words, greedy))).at(0);
  };
  const auto policy =
      asked(with({"generate", "run/policy", "--input", "chat.jsonl"}, weights));
  const auto frozen =
      asked({"generate", "frozen", "--chat", "--input", "chat.jsonl"});
  EXPECT_EQ(policy["completion"], frozen["completion"]);
  EXPECT_NEAR(
      policy["log_prob"].get<double>(), frozen["log_prob"].get<double>(), 1e-4);
  // The user's "<end>" is three letters and two signs that the tiny
  // vocabulary lacks, and never the token.
  const auto text = asked({"generate", "frozen", "--input", "text.jsonl"});
  EXPECT_EQ(frozen["completion"], text["completion"]);
  EXPECT_NEAR(
      frozen["log_prob"].get<double>(), text["log_prob"].get<double>(), 1e-6);
}

TEST_F(Chat, MessagesAreGivenOnTheCommandLine) {
  const Words greedy = {"--greedy", "--max-new-tokens", "5"};
  const auto answer = [&](const Words& words) {
    return run(with(with({"generate", "base"}, words), greedy));
  };
  const std::string one = answer({"--prompt", "u hi<end>a "});
  EXPECT_EQ(answer({"--chat", "--prompt", "hi"}), one);
  EXPECT_EQ(answer({"--message", "user=hi"}), one);
  EXPECT_EQ(
      answer({"--system", "be kind", "--prompt", "hi"}),
      answer({"--prompt", "s be kind<end>u hi<end>a "}));
  EXPECT_EQ(
      answer(
          {"--system",
           "be kind",
           "--message",
           "developer=be brief",
           "--message",
           "user=hi"}),
      answer({"--prompt", "d be brief<end>u hi<end>a "}));
  EXPECT_EQ(
      answer(
          {"--message",
           "user=hi",
           "--message",
           "assistant=yes",
           "--message",
           "user=why"}),
      answer({"--prompt", "u hi<end>a yes<end>u why<end>a "}));
  write_tiny_text(
      folder() / "shout.jinja",
      "{% for m in messages %}{{ m.content }}{% endfor %}");
  EXPECT_EQ(
      answer({"--chat-template", "shout.jinja", "--prompt", "hi"}),
      answer({"--prompt", "hi"}));
  fs::remove(folder() / "base/chat_template.jinja");
  const Ended none =
      run_program(folder(), {"generate", "base", "--chat", "--prompt", "hi"});
  EXPECT_EQ(none.code, 2);
  EXPECT_TRUE(has(none.errors, "has no chat template")) << none.errors;
}

// A flag that would change nothing is refused.
TEST_F(Chat, ATrainedPolicyKeepsItsTemplate) {
  run({"train", "recipe.yaml"});
  const auto refused = [&](const Words& words) {
    const Ended ended =
        run_program(folder(), with({"generate", "run/policy"}, words));
    EXPECT_EQ(ended.code, 2);
    return ended.errors;
  };
  EXPECT_TRUE(
      has(refused({"--prompt", "hi", "--chat-template", "own.jinja"}),
          "--chat-template is for plain models"));
  EXPECT_TRUE(
      has(refused({"--input", "heldout.jsonl", "--system", "be kind"}),
          "write the system message into the rows"));
  EXPECT_TRUE(
      has(refused({"--weights", "a=0.3,b=0.7", "--message", "hi"}),
          "write role=text, such as --message"));
}

TEST_F(Chat, EvaluateSweepAndScoreReadDialogues) {
  run({"train", "recipe.yaml"});
  run({"evaluate", "run", "--weightings", "2"});
  const auto report =
      nlohmann::json::parse(read_all(folder() / "run/report/report.json"));
  EXPECT_EQ(report["texts"][0]["prompt"], "seven");
  EXPECT_NE(
      run({"sweep", "run/policy", "--prompt", "hi", "--max-new-tokens", "8"}),
      "");
  write_tiny_text(
      folder() / "pairs.jsonl",
      R"({"prompt": [{"role": "user", "content": "hi"}], "completion": "no"})"
      "\n"
      R"({"prompt": "u hi<end>a ", "completion": "no"})"
      "\n");
  const auto scores = lines(
      run({"score", "run/policy", "--reference", "--input", "pairs.jsonl"}));
  EXPECT_EQ(scores.at(0), scores.at(1));
}

// `moft sft` learns the assistant's turns; what it publishes has the template.
TEST_F(Chat, SftTakesWholeDialogues) {
  write_tiny_text(
      folder() / "sft.yaml",
      "name: s\noutput: tuned\ndevice: cpu\nthreads: 1\nmodel: {path: base}\n"
      "data: {train: chats.jsonl, evaluation: heldout.jsonl}\n"
      "sft: {steps: 30, pairs_per_step: 6, optimizer: {learning_rate: "
      "0.02}}\n");
  run({"sft", "sft.yaml"});
  const std::string logged = read_all(folder() / "tuned/metrics.jsonl");
  const auto first = nlohmann::json::parse(logged.substr(0, logged.find('\n')));
  // "yes<end>" and "so<end>" of six dialogues.
  EXPECT_EQ(first["tokens"], 6 * (4 + 3));
  EXPECT_EQ(read_all(folder() / "tuned/model/chat_template.jinja"), kTemplate);
  EXPECT_EQ(
      run(
          {"generate",
           "tuned/model",
           "--message",
           "user=one",
           "--message",
           "assistant=yes",
           "--message",
           "user=why",
           "--greedy",
           "--max-new-tokens",
           "8"}),
      "so\n");
}

// A recipe's own template goes to the policy in the model's place.
TEST_F(Chat, ANamedTemplateTakesTheModelsPlace) {
  const std::string own =
      "{% for m in messages %}{{ m.content + '.' }}{% endfor %}";
  write_tiny_text(folder() / "own.jinja", own);
  run(
      {"train",
       "recipe.yaml",
       "data.chat_template=own.jinja",
       "data.system=be kind"});
  EXPECT_EQ(read_all(folder() / "run/policy/chat_template.jinja"), own);
  const auto definition =
      nlohmann::json::parse(read_all(folder() / "run/policy/moft.json"));
  EXPECT_EQ(definition["chat"]["system"], "be kind");
  const Ended missing = run_program(
      folder(), {"recipe", "check", "recipe.yaml", "data.chat_template=rag"});
  EXPECT_EQ(missing.code, 2);
  EXPECT_TRUE(
      has(missing.errors,
          "chat_template is 'rag', which is neither a file nor one of the "
          "model's templates (default)"))
      << missing.errors;
}

// Adapters of an instruct model become a policy that reads dialogues.
TEST_F(Chat, ASoupOfAdaptersReadsDialogues) {
  for (const std::uint64_t seed : {1, 2})
    write_tiny_adapter(
        folder() / ("adapter" + std::to_string(seed)), {.seed = seed});
  const Words soup = {
      "soup",
      "--model",
      "base",
      "--adapter",
      "a=adapter1",
      "--adapter",
      "b=adapter2",
      "--to",
      "soup",
      "--chat"};
  const Ended both =
      run_program(folder(), with(soup, {"--prompt-template", "{post}"}));
  EXPECT_EQ(both.code, 2);
  EXPECT_TRUE(has(both.errors, "give one of the two")) << both.errors;
  const Ended runs =
      run_program(folder(), {"soup", "run", "--chat", "--to", "soup"});
  EXPECT_EQ(runs.code, 2);
  EXPECT_TRUE(has(runs.errors, "give either RUNS or")) << runs.errors;
  run(with(soup, {"--system", "be kind"}));
  const auto definition =
      nlohmann::json::parse(read_all(folder() / "soup/policy/moft.json"));
  EXPECT_EQ(definition["chat"]["templates"]["default"], kTemplate);
  EXPECT_EQ(definition["chat"]["system"], "be kind");
  const auto answer = [&](const Words& words) {
    return run(with(words, {"--greedy", "--max-new-tokens", "5"}));
  };
  const Words weights = {"--weights", "a=1,b=0"};
  EXPECT_EQ(
      answer(with({"generate", "soup", "--message", "user=hi"}, weights)),
      answer(
          {"generate",
           "base",
           "--adapter",
           "adapter1",
           "--prompt",
           "s be kind<end>u hi<end>a "}));
}

TEST_F(Chat, ARecipeThatDoesNotFitItsRowsIsRefused) {
  write_tiny_text(
      folder() / "bad.jsonl",
      line_of(nlohmann::ordered_json::array({turn("user", "one")})) +
          R"({"messages": [{"role": "user", "content": [{"type": "image"}]}]})"
          "\n");
  const auto check = [&](const Words& more) {
    const Ended ended =
        run_program(folder(), with({"recipe", "check", "recipe.yaml"}, more));
    EXPECT_EQ(ended.code, 2);
    return ended.output + ended.errors;
  };
  const std::string bad = check({"data.train=bad.jsonl"});
  EXPECT_TRUE(
      has(bad,
          "bad.jsonl:2: message 1 of 'messages' has a content part of type "
          "'image'; moft reads text alone: remove the part or the row"))
      << bad;
  write_tiny_text(folder() / "flat.jsonl", "{\"post\": \"one\"}\n");
  EXPECT_TRUE(
      has(check({"data.train=flat.jsonl"}),
          "flat.jsonl:1: the row has neither a dialogue (a list of messages in "
          "'messages' or 'prompt') nor a text 'prompt'; say in "
          "data.prompt_template how its fields make the prompt, for example "
          "'{post}'"));
  EXPECT_TRUE(
      has(check({"data.prompt_template='{messages.user}'", "data.system=hi"}),
          "data.prompt_template and data.system are both given"));
}

}  // namespace
}  // namespace moft::test
