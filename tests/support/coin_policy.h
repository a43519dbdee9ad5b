// A kind of policy from outside the library: it flips a coin.
#pragma once

#include <cmath>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "moft/generation/policy_kinds.h"
#include "moft/tokenizers/hf_tokenizer.h"

namespace moft::test {

// Answers with one of two tokens: the first with probability .1 + .8 w_1, the
// reference with probability 1/2.
class CoinPolicy : public Policy {
 public:
  CoinPolicy(PolicyInfo info, std::shared_ptr<const Tokenizer> tokenizer)
      : Policy(std::move(info)), tokenizer_(std::move(tokenizer)) {}

  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  std::int64_t context() const override { return 8; }
  void expect_steerings(std::int64_t distinct) override {
    expected_ = distinct;
  }
  std::string steering_way(std::int64_t) const override { return "a table"; }

  std::vector<Completion> complete(
      const std::vector<CompletionRequest>& requests,
      const GenerateOptions&,
      const OnToken&) override {
    std::vector<Completion> answers;
    for (const CompletionRequest& request : requests) {
      const double p = heads(request.steering);
      RandomStream stream(
          request.key.seed,
          request.key.purpose,
          request.key.step,
          request.key.row);
      const bool head = stream.uniform() < p;
      Completion answer;
      answer.tokens = {head ? 1 : 2};
      answer.log_probs = {static_cast<float>(std::log(head ? p : 1 - p))};
      answer.text = head ? "heads" : "tails";
      answer.finished = true;
      answers.push_back(std::move(answer));
    }
    return answers;
  }

  std::vector<Completion> complete_with_kl(
      const std::vector<CompletionRequest>& requests,
      const GenerateOptions& options) override {
    auto answers = complete(requests, options, nullptr);
    for (std::size_t r = 0; r < answers.size(); ++r)
      answers[r].exact_kl = {static_cast<float>(kl(requests[r].steering))};
    return answers;
  }

  std::vector<Score> score(
      const std::vector<ScoreRequest>& requests, const ScoreOptions&) override {
    std::vector<Score> scores;
    for (const ScoreRequest& request : requests) {
      const double p = heads(request.steering);
      const bool head = request.completion.at(0) == 1;
      Score score;
      score.log_probs = {static_cast<float>(std::log(head ? p : 1 - p))};
      scores.push_back(std::move(score));
    }
    return scores;
  }

  at::Tensor next_logits(
      const Prompt&, const std::optional<Steering>& steering) override {
    const double p = heads(steering);
    return at::tensor({0.0, std::log(p), std::log(1 - p)}, at::kFloat);
  }

  std::int64_t expected() const { return expected_; }

  static double heads(const std::optional<Steering>& steering) {
    return steering ? 0.1 + 0.8 * steering->w[0] : 0.5;
  }
  static double kl(const std::optional<Steering>& steering) {
    const double p = heads(steering);
    return p * std::log(2 * p) + (1 - p) * std::log(2 * (1 - p));
  }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::int64_t expected_ = 0;
};

inline PolicyInfo coin_info() {
  PolicyInfo info;
  info.kind = "coin";
  info.objectives = {{"heads", 0, 1}, {"tails", 0, 1}};
  info.kl_range = KlRange::fixed(0.1);
  info.default_alpha = 0.1;
  info.prompt = PromptFormat("flip {text}");
  return info;
}

// The entry that makes moft know it; a directory needs tokenizer files and
// {"kind": "coin"} as its moft.json.
inline PolicyKind coin_kind() {
  return {
      "coin",
      [](const std::filesystem::path&) { return coin_info(); },
      [](const std::filesystem::path& directory, const LoadOptions&) {
        return std::make_unique<CoinPolicy>(
            coin_info(), load_tokenizer(directory));
      }};
}

}  // namespace moft::test
