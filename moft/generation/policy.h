// A policy: anything that turns (prompt, steering) into a completion with
// log-probabilities. The hinge between what makes policies (training) and what
// uses them (evaluation, the command line). Which kinds there are is the
// business of policy_kinds.h.
//
// A policy's temperature is part of its definition: logits are divided by it
// in sampling, scoring and KL alike, in the policy and in its reference. A
// request's own temperature multiplies it.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moft/generation/export_options.h"
#include "moft/generation/generate.h"
#include "moft/generation/prompt_format.h"
#include "moft/models/decoder.h"
#include "moft/weightings/steering.h"

namespace moft {

// An objective as the policy carries it: its place in the weighting's order
// and the affine range that its reward was mapped from.
struct PolicyObjective {
  std::string name;
  double low = 0.0;
  double high = 1.0;
};

// What is known of a policy without its weights, whatever its kind.
struct PolicyInfo {
  std::string kind;  // in moft.json; "plain" for a model without one
  std::vector<PolicyObjective> objectives;  // empty: no knobs
  KlRange kl_range;
  double default_alpha = 0.0;  // of its training, where a request gives none
  // False where alpha cannot change an answer: nothing mixes the reference in.
  bool alpha_acts = false;
  // True where the copies are mixed in equal parts under every weighting, which
  // the words of the prompt alone carry (conditioning.prompt.common_adapter).
  bool words_alone = false;
  double temperature = 1.0;
  PromptFormat prompt;
  // Length of its training; absent in policies of older versions.
  std::optional<std::int64_t> steps;
  std::optional<std::int64_t> answers;  // completions drawn in these steps
  std::map<std::string, std::string> provenance;
};

// Objective names in the weighting's order.
std::vector<std::string> objective_names(const PolicyInfo& info);

// Prompts are plain ones everywhere here: a policy that is told its weighting
// in words puts them into the prompt itself, and its reference reads the
// plain prompt.
struct CompletionRequest {
  Prompt prompt;
  std::optional<Steering> steering;  // none: the frozen reference
  RowKey key;
};

struct Completion {
  TokenIds tokens;  // the end token included
  std::vector<float> log_probs;
  std::vector<float> exact_kl;  // per token, when asked for; nats
  std::string text;  // without the end token and what follows a stop string
  bool finished = false;
};

struct ScoreRequest {
  Prompt prompt;
  TokenIds completion;  // not empty
  std::optional<Steering> steering;
  std::string where = {};  // "pairs.jsonl:3", for messages
};

struct ScoreOptions {
  bool with_reference = false;  // reference log-probs of the same tokens
  bool with_exact_kl = false;   // sum over the vocabulary at every token
};

struct Score {
  std::vector<float> log_probs;            // per completion token
  std::vector<float> reference_log_probs;  // with_reference
  std::vector<float> exact_kl;             // with_exact_kl, nats
};

class Policy {
 public:
  explicit Policy(PolicyInfo info) : info_(std::move(info)) {}
  virtual ~Policy() = default;

  // --- what it is
  const PolicyInfo& info() const { return info_; }
  const std::vector<PolicyObjective>& objectives() const {
    return info_.objectives;
  }
  std::vector<std::string> names() const { return objective_names(info_); }
  double temperature() const { return info_.temperature; }
  const KlRange& kl_range() const { return info_.kl_range; }
  double default_alpha() const { return info_.default_alpha; }
  virtual const Tokenizer& tokenizer() const = 0;
  // Longest sequence, prompt and completion together, in tokens.
  virtual std::int64_t context() const = 0;

  // --- prompts (prompt_format.h)
  Prompt fill_prompt(const Example& example) const;
  Prompt fill_prompt(const std::string& text) const;
  Prompt whole_prompt(
      const std::string& text,
      const std::string& where,
      const std::optional<Steering>& steering) const;
  // The tokens that the policy reads under a steering; without one the plain
  // prompt.
  TokenIds conditioned_prompt(
      const Prompt& prompt, const std::optional<Steering>& steering) const;
  bool conditions_prompts() const { return info_.prompt.words().has_value(); }
  // How many tokens a weighting's words are on their own.
  std::int64_t count_word_tokens(const Weighting& w) const;

  // None: the frozen reference, which is what a plain model always is.
  // Under words_alone those of equal weights, whatever the weighting.
  // CallerError for an alpha that the policy does not answer to.
  Coefficients coefficients_of(const std::optional<Steering>& steering) const;

  // --- answers
  // Fixes how steerings are applied for the job that follows, whose requests
  // carry up to this many distinct ones, the reference included where it
  // answers beside them; a policy just opened expects one. The answer to a
  // request depends on this, never on the requests beside it.
  virtual void expect_steerings(std::int64_t distinct) = 0;
  // How expect_steerings() would apply them, for logs and reports: "mixed
  // weights".
  virtual std::string steering_way(std::int64_t distinct) const = 0;

  // options.sampling.temperature is the request's own.
  virtual std::vector<Completion> complete(
      const std::vector<CompletionRequest>& requests,
      const GenerateOptions& options,
      const OnToken& on_token = nullptr) = 0;
  // The same with exact_kl to the frozen reference at every token.
  virtual std::vector<Completion> complete_with_kl(
      const std::vector<CompletionRequest>& requests,
      const GenerateOptions& options) = 0;

  // WorldError when a log-probability is not a finite number.
  virtual std::vector<Score> score(
      const std::vector<ScoreRequest>& requests,
      const ScoreOptions& options) = 0;

  // Rows that join and leave at any step (decoder.h). Its prompts are
  // conditioned ones and its steerings coefficients_of() requests; its logits
  // are before the temperature. The policy must outlive it. CallerError for a
  // kind that cannot decode token by token.
  virtual std::unique_ptr<Decoder> open_decoder(const DecoderLimits& limits);

  // Logits of the token after the prompt: float32 [vocabulary], before the
  // temperature.
  virtual at::Tensor next_logits(
      const Prompt& prompt, const std::optional<Steering>& steering) = 0;

  // Writes the policy under one steering for other programs (export.h).
  // CallerError for a kind that is not one model.
  virtual void export_model(
      const std::optional<Steering>& steering,
      const std::filesystem::path& path,
      const ExportOptions& options = {}) const;

 protected:
  PolicyInfo info_;
};

// The words of the weighting whose words have the most tokens: corners and a
// split like .77/.23. Empty for a policy without words.
std::string longest_prompt_words(
    const PromptFormat& format, const Tokenizer& tokenizer);

}  // namespace moft
