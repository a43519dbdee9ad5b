// What every command that opens a policy has in common: the POLICY argument,
// the device flags, and a steering from --weights and --alpha.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "moft/core/compute_options.h"
#include "moft/generation/policy_kinds.h"
#include "moft/recipes/compute.h"

#include "cli/parser.h"
#include "cli/prompt_flags.h"

namespace moft {

// How a job of up to this many distinct steerings applies them: "up to 5
// steerings: wide product".
std::string steerings_text(const Policy& policy, std::int64_t steerings);
// The same as a line on standard error, for a policy that can be steered.
void log_steerings(const Policy& policy, std::int64_t steerings);

class PolicyFlags {
 public:
  // POLICY: a policy directory, a run directory, a Hugging Face directory or a
  // GGUF file.
  void declare(Parser& parser);
  // For a job of up to this many distinct steerings. `chat`: how a plain model
  // reads dialogues.
  std::unique_ptr<Policy> open(
      std::int64_t steerings = 1,
      std::optional<ChatSettings> chat = std::nullopt) const;
  // The same with what the flags say of dialogues.
  std::unique_ptr<Policy> open(const PromptFlags& prompt) const;
  const std::string& path() const { return path_; }
  // The policy directory that POLICY means (RUN/policy for a run).
  std::string policy_path() const;

 private:
  std::string path_;
  std::string adapter_;
  ComputeOptions compute_;
};

class SteeringFlags {
 public:
  void declare(Parser& parser);
  // --reference: the frozen reference instead of a weighting.
  void declare_reference(Parser& parser);
  // None: the frozen reference, which is what a plain model is. CallerError
  // when weights are given to a policy without knobs, or are missing for one
  // that has them and --reference was not given.
  std::optional<Steering> steering(const Policy& policy) const;
  double alpha(const Policy& policy) const;
  // Whether --weights or --reference was given.
  bool given() const { return !weights_.empty() || reference_; }

 private:
  void check_plain() const;

  std::string weights_;
  std::optional<double> alpha_;
  bool has_reference_ = false;
  bool reference_ = false;
};

// How completions are drawn, as flags.
struct SamplingFlags {
  std::int64_t max_new_tokens = 64;
  double temperature = 1.0;
  std::optional<std::int64_t> top_k;
  std::optional<double> top_p;
  bool greedy = false;
  std::vector<std::string> stop;
  std::int64_t seed = 0;

  template <class V>
  void fields(V& v) {
    v("max_new_tokens",
      max_new_tokens,
      Help{"a completion that has not stopped by then is cut off", "tokens"},
      between(1, 1e6));
    v("temperature",
      temperature,
      Help{"multiplies the policy's own temperature; 0: as --greedy"},
      at_least(0));
    v("top_k",
      top_k,
      Help{"sample from the k most probable tokens; null: all", "tokens"},
      at_least(1));
    v("top_p",
      top_p,
      Help{"sample from the most probable tokens that together reach this "
           "probability; null: all"},
      above_up_to(0, 1));
    v("greedy", greedy, Help{"always take the most probable token"});
    v("stop", stop, Help{"texts that end a completion, as a YAML list"});
    v("seed", seed, Help{"random seed"}, at_least(0));
  }

  GenerateOptions options() const;
};

}  // namespace moft
