// A conditioned language model as a Policy, and a plain one without knobs.
//
// Thread safety: one thread at a time.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/conditioning/conditioning.h"
#include "moft/data/prompt_template.h"
#include "moft/generation/policy.h"
#include "moft/models/load.h"

namespace moft {

// What moft.json holds: everything about a policy that is not a tensor.
struct PolicyDefinition {
  std::vector<PolicyObjective> objectives;  // empty: no knobs
  ConditioningOptions conditioning;
  double kl_strength = 0.0;  // alpha it was trained at
  double temperature = 1.0;
  // With {field}s; "{prompt}" for a plain model: the text as it is.
  std::string prompt_template = "{prompt}";
  std::map<std::string, std::string> provenance;

  KlRange kl_range() const;
};

class SteeredPolicy : public Policy {
 public:
  // Installs the conditioning when the definition has objectives.
  SteeredPolicy(
      LoadedModel base,
      std::shared_ptr<const Tokenizer> tokenizer,
      PolicyDefinition definition,
      std::uint64_t seed = 0);

  const std::vector<PolicyObjective>& objectives() const override {
    return definition_.objectives;
  }
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  double temperature() const override { return definition_.temperature; }
  const KlRange& kl_range() const override { return range_; }
  double default_alpha() const override { return definition_.kl_strength; }

  std::vector<Completion> complete(
      const std::vector<CompletionRequest>& requests,
      const GenerateOptions& options,
      const OnToken& on_token = nullptr) override;
  std::vector<Completion> complete_with_kl(
      const std::vector<CompletionRequest>& requests,
      const GenerateOptions& options) override;
  std::vector<Score> score(
      const std::vector<ScoreRequest>& requests,
      const ScoreOptions& options) override;

  const PolicyDefinition& definition() const { return definition_; }
  PolicyDefinition& definition() { return definition_; }
  LanguageModel& model() { return *base_.model; }
  const LoadedModel& base() const { return base_; }
  // Null for a plain model.
  Conditioning* conditioning() { return conditioning_.get(); }
  const Conditioning* conditioning() const { return conditioning_.get(); }
  // Objective names in the weighting's order.
  std::vector<std::string> names() const;
  Coefficients coefficients_of(const std::optional<Steering>& steering) const;
  // Text without the end token; cut at a stop string.
  std::string text_of(const Generation& generation) const;
  // What the policy reads: the prompt itself, or, with conditioning.prompt,
  // "<weights in words> " and then the prompt (behind a beginning-of-sequence
  // token). The words are encoded on their own, so the prompt's own ids never
  // change and are never cut. No steering: the plain prompt.
  TokenIds conditioned_prompt(
      const TokenIds& prompt, const std::optional<Steering>& steering) const;
  bool conditions_prompts() const { return !prompt_names_.empty(); }
  // The words, with the space that follows; empty without conditioning.prompt.
  std::string prompt_words(const Weighting& w) const;
  // Prompt ids of a text under the policy's prompt template (its one field).
  TokenIds encode_prompt_text(const std::string& text) const;

 private:
  std::vector<Completion> run(
      const std::vector<CompletionRequest>& requests,
      const GenerateOptions& options,
      const std::optional<Coefficients>& reference,
      const OnToken& on_token);

  LoadedModel base_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  PolicyDefinition definition_;
  KlRange range_;
  std::unique_ptr<Conditioning> conditioning_;
  std::vector<std::string> prompt_names_;  // conditioning.prompt
};

// A policy directory, a plain Hugging Face directory or a GGUF file (the last
// two: identity prompt format, temperature 1, no knobs). CallerError when the
// weights of a policy's base are no longer those that it was trained on.
std::unique_ptr<SteeredPolicy> load_policy(
    const std::filesystem::path& path, const LoadOptions& options = {});

// The tokenizer of a base model: from its files, or from the GGUF metadata.
std::shared_ptr<const Tokenizer> load_base_tokenizer(
    const std::filesystem::path& path, const LoadedModel& base);

// Writes a policy directory atomically. The base's weights are hard-linked
// where the file system can, else copied. A policy that is there is replaced;
// files that moft did not write stay, and a `directory` that is not a policy
// is refused (CallerError).
void save_policy(
    const SteeredPolicy& policy,
    const std::filesystem::path& base_path,
    const std::filesystem::path& directory,
    const std::string& model_card);

nlohmann::ordered_json definition_to_json(const PolicyDefinition& definition);
PolicyDefinition definition_from_json(
    const nlohmann::json& json, const std::string& place);

}  // namespace moft
