// `moft generate`: completions under one weighting.
#include <cstdio>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/json.h"

#include "cli/command.h"
#include "cli/flags.h"
#include "cli/policy_flags.h"

namespace moft {

namespace {

class GenerateCommand : public Command {
 public:
  void declare(Parser& parser) override {
    policy_.declare(parser);
    steering_.declare(parser);
    prompt_.declare(
        parser,
        "Text that fills the policy's prompt template or is the user's "
        "message of its dialogue; for a plain model the whole prompt, in which "
        "special tokens count");
    parser.add_path(
        "--input",
        input_,
        "JSON lines with the template's fields or dialogues, for a plain model "
        "the field \"prompt\"; one JSON line comes out per line and sample");
    parser.add_option("--samples", samples_, "Completions of each prompt")
        .range(1, 1000000);
    add_flags(parser, sampling_);
  }

  int run() override {
    check_options(sampling_, "command line");
    if (prompt_.given() == !input_.empty()) {
      throw_caller_error(
          "give the prompt: --prompt TEXT, --message role=text for each turn "
          "of a dialogue, or --input FILE.jsonl for many");
    }
    auto policy = policy_.open(prompt_);
    const auto steering = steering_.steering(*policy);
    log_steerings(*policy, 1);
    if (input_.empty()) {
      stream_one(*policy, steering);
    } else {
      answer_file(*policy, steering);
    }
    return 0;
  }

 private:
  RowKey key(std::size_t row) const {
    return {
        static_cast<std::uint64_t>(sampling_.seed),
        Purpose::kGenerate,
        0,
        static_cast<std::uint32_t>(row)};
  }

  void stream_one(
      Policy& policy, const std::optional<Steering>& steering) const {
    const Prompt prompt = prompt_.prompt(policy);
    std::vector<CompletionRequest> requests;
    for (std::int64_t s = 0; s < samples_; ++s) {
      requests.push_back({prompt, steering, key(static_cast<std::size_t>(s))});
    }
    for (const auto& answer : policy.complete(requests, sampling_.options())) {
      fmt::print("{}\n", answer.text);
    }
  }

  // The line that does not fit, before any answer is sampled.
  void check_room_for(
      const TokenIds& prompt,
      const Example& example,
      std::int64_t context) const {
    const auto tokens = static_cast<std::int64_t>(prompt.size());
    if (tokens + sampling_.max_new_tokens <= context) return;
    throw_caller_error(
        "{}: the prompt has {} tokens, which with --max-new-tokens {} are {}, "
        "more than the model's {}; shorten it, or lower --max-new-tokens",
        example.where,
        tokens,
        sampling_.max_new_tokens,
        tokens + sampling_.max_new_tokens,
        context);
  }

  void answer_file(
      Policy& policy, const std::optional<Steering>& steering) const {
    const auto examples = read_examples(std::filesystem::path(input_));
    policy.info().prompt.parsed().check(examples);
    std::vector<CompletionRequest> requests;
    for (const Example& example : examples) {
      const Prompt prompt = policy.fill_prompt(example);
      check_room_for(
          policy.conditioned_prompt(prompt, steering),
          example,
          policy.context());
      for (std::int64_t s = 0; s < samples_; ++s) {
        requests.push_back({prompt, steering, key(requests.size())});
      }
    }
    const auto answers = policy.complete(requests, sampling_.options());
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const auto example = i / static_cast<std::size_t>(samples_);
      double log_prob = 0.0;
      for (const float at_token : answers[i].log_probs)
        log_prob += at_token;
      nlohmann::ordered_json line;
      line["id"] = examples[example].id;
      line["completion"] = answers[i].text;
      line["log_prob"] = log_prob;
      line["tokens"] = answers[i].tokens.size();
      line["finished"] = answers[i].finished;
      fmt::print("{}\n", dump_json(line));
    }
  }

  PolicyFlags policy_;
  SteeringFlags steering_;
  SamplingFlags sampling_;
  PromptFlags prompt_;
  std::string input_;
  std::int64_t samples_ = 1;
};

}  // namespace

std::unique_ptr<Command> make_generate_command() {
  return std::make_unique<GenerateCommand>();
}

}  // namespace moft
