// `moft score`: log-probabilities of given completions.
//
// Prompts are taken whole (no template is filled): prompt ids followed by the
// separately tokenised completion; special tokens written in either count, and
// a begin token that is written is not put first a second time. A policy that
// is told its weighting in words gets them where its template's first field
// begins.
#include <numeric>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/json.h"
#include "moft/data/example.h"

#include "cli/command.h"
#include "cli/policy_flags.h"

namespace moft {

namespace {

class ScoreCommand : public Command {
 public:
  void declare(Parser& parser) override {
    policy_.declare(parser);
    steering_.declare(parser);
    steering_.declare_reference(parser);
    parser
        .add_path(
            "--input",
            input_,
            "JSON lines {\"prompt\": .., \"completion\": ..}, both whole, with "
            "their chat markup, or the prompt as a list of messages; out comes "
            "one line each with log_prob and token_log_probs (nats)")
        .required();
    chat_.declare_chat(parser);
    parser.add_flag(
        "--with-reference",
        with_reference_,
        "Also the frozen reference's log-probabilities");
  }

  int run() override {
    auto policy = policy_.open(chat_);
    const auto steering = steering_.steering(*policy);
    log_steerings(*policy, 1);
    std::vector<ScoreRequest> requests;
    for (const Example& pair : read_examples(std::filesystem::path(input_))) {
      ScoreRequest request;
      request.prompt = prompt_of(pair, *policy, steering);
      request.completion = encode_completion(
          text_field(pair, "completion", "moft score"), policy->tokenizer());
      request.steering = steering;
      request.where = pair.where;
      if (request.completion.empty()) {
        throw_caller_error(
            "{}: the completion has no tokens; write at least one word",
            pair.where);
      }
      const auto prompt = policy->conditioned_prompt(request.prompt, steering);
      check_room_for(
          prompt.size() + request.completion.size(), pair, policy->context());
      requests.push_back(std::move(request));
    }
    const ScoreOptions options{
        .with_reference = with_reference_, .with_exact_kl = false};
    for (const Score& score : policy->score(requests, options))
      print(score);
    return 0;
  }

 private:
  // A dialogue where the policy reads dialogues, else a whole text.
  static Prompt prompt_of(
      const Example& pair,
      const Policy& policy,
      const std::optional<Steering>& steering) {
    if (policy.info().prompt.chat() && !pair.fields.contains("prompt"))
      return policy.fill_prompt(pair);
    return policy.whole_prompt(
        text_field(pair, "prompt", "moft score"), pair.where, steering);
  }

  static void check_room_for(
      std::size_t size, const Example& pair, std::int64_t context) {
    const auto tokens = static_cast<std::int64_t>(size);
    if (tokens <= context) return;
    throw_caller_error(
        "{}: prompt and completion have {} tokens, more than the model's {}; "
        "shorten them",
        pair.where,
        tokens,
        context);
  }

  static double sum(const std::vector<float>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
  }

  void print(const Score& score) const {
    nlohmann::ordered_json line;
    line["log_prob"] = sum(score.log_probs);
    line["token_log_probs"] = score.log_probs;
    if (with_reference_) {
      line["reference_log_prob"] = sum(score.reference_log_probs);
      line["reference_token_log_probs"] = score.reference_log_probs;
    }
    fmt::print("{}\n", dump_json(line));
  }

  PolicyFlags policy_;
  SteeringFlags steering_;
  PromptFlags chat_;
  std::string input_;
  bool with_reference_ = false;
};

}  // namespace

std::unique_ptr<Command> make_score_command() {
  return std::make_unique<ScoreCommand>();
}

}  // namespace moft
