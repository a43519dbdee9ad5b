// A conditioned language model as a Policy, and a plain one without knobs.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moft/conditioning/conditioning.h"
#include "moft/generation/policy.h"
#include "moft/generation/policy_definition.h"
#include "moft/models/load.h"

namespace moft {

class SteeredPolicy : public Policy {
 public:
  // Installs the conditioning when the definition has objectives. `ranks` share
  // its copies (conditioning.h); by default this process has them all.
  SteeredPolicy(
      LoadedModel base,
      std::shared_ptr<const Tokenizer> tokenizer,
      PolicyDefinition definition,
      std::uint64_t seed = 0,
      const Ranks& ranks = {});

  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  std::int64_t context() const override;
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
  std::unique_ptr<Decoder> open_decoder(const DecoderLimits& limits) override;
  // Gathers the mixture first where ranks share the copies.
  at::Tensor next_logits(
      const Prompt& prompt, const std::optional<Steering>& steering) override;

  // --- what training and what works on copies need
  const PolicyDefinition& definition() const { return definition_; }
  LanguageModel& model() { return *base_.model; }
  const LoadedModel& base() const { return base_; }
  // Null for a plain model.
  Conditioning* conditioning() { return conditioning_.get(); }
  const Conditioning* conditioning() const { return conditioning_.get(); }
  // Text without the end token; cut at a stop string.
  std::string text_of(const Generation& generation) const;
  // The length of the policy's training, for moft.json.
  void record_training(std::int64_t steps, std::int64_t answers);
  void record_provenance(const std::string& what, const std::string& value);

 private:
  std::vector<Completion> run(
      const std::vector<CompletionRequest>& requests,
      const GenerateOptions& options,
      const std::optional<Coefficients>& reference,
      const OnToken& on_token);

  LoadedModel base_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  PolicyDefinition definition_;
  std::unique_ptr<Conditioning> conditioning_;
};

}  // namespace moft
