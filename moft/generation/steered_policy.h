// A conditioned language model as a Policy, and a plain one without knobs.
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

#include <nlohmann/json.hpp>

#include "moft/conditioning/conditioning.h"
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
  // Of the training behind it; absent in policies of older versions.
  std::optional<std::int64_t> steps;
  std::optional<std::int64_t> answers;  // completions drawn in these steps
  // With conditioning.prompt: the words go before the whole prompt, as they
  // did in policies of format 1, and not to its first field.
  bool words_before_prompt = false;
  std::map<std::string, std::string> provenance;

  KlRange kl_range() const;
  // A plain model takes prompts as they are, without a template: special
  // tokens written in them count.
  bool takes_whole_prompts() const;
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

  void expect_steerings(std::int64_t distinct) override;
  std::string steering_way(std::int64_t distinct) const override;

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
  // the prompt with "<weights in words> " at the start of its first field,
  // encoded as one text. No steering: the plain prompt. CallerError when words
  // have to go into a prompt of ids alone.
  TokenIds conditioned_prompt(
      const Prompt& prompt, const std::optional<Steering>& steering) const;
  bool conditions_prompts() const { return !prompt_names_.empty(); }
  // The words, with the space that follows; empty without conditioning.prompt.
  std::string prompt_words(const Weighting& w) const;
  // How many tokens they are on their own.
  std::int64_t count_word_tokens(const Weighting& w) const;
  // The policy's prompt template with the words in it.
  std::string template_with_words(const Weighting& w) const;
  // The prompt of an example: the policy's template filled, or, for a plain
  // model, the field "prompt" as it is.
  Prompt fill_prompt(const Example& example) const;
  // The same with `text` for the template's one field.
  Prompt fill_prompt(const std::string& text) const;
  // A prompt that is given whole, template included. With a steering it must
  // have a place for the words.
  Prompt whole_prompt(
      const std::string& text,
      const std::string& where,
      const std::optional<Steering>& steering) const;

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
