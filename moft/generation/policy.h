// A policy: anything that turns (prompt, steering) into a completion with
// log-probabilities. The hinge between what makes policies (training,
// baselines) and what uses them (evaluation, serving, the command line).
//
// A policy's temperature is part of its definition: logits are divided by it
// in sampling, scoring and KL alike, in the policy and in its reference. A
// request's own temperature multiplies it.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moft/data/encode_prompt.h"
#include "moft/generation/generate.h"
#include "moft/weightings/steering.h"

namespace moft {

// An objective as the policy carries it: its place in the weighting's order
// and the affine range that its reward was mapped from.
struct PolicyObjective {
  std::string name;
  double low = 0.0;
  double high = 1.0;
};

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
  virtual ~Policy() = default;

  virtual const std::vector<PolicyObjective>& objectives() const = 0;
  virtual const Tokenizer& tokenizer() const = 0;
  virtual double temperature() const = 0;
  virtual const KlRange& kl_range() const = 0;
  // The steering's alpha where a request gives none.
  virtual double default_alpha() const = 0;

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
};

}  // namespace moft
