// One step of supervised finetuning by teacher forcing.
//
//   draw pairs -> logits that predict each completion token -> log p
//   loss = - sum_b sum_t log p(y_bt | x_b, y_b<t) / sum_b |y_b|
//   clip -> optimizer
//
// The mean is over the completion tokens of the whole batch, end tokens
// included: every token counts the same, whatever pair it is in. Of a dialogue
// the assistant's tokens count. Prompt tokens and padding never count: there
// are logits for completion tokens alone. Parts of a step
// (gradient_accumulation, memory_budget) divide by the batch's token count, so
// that their gradients add up to that of one part.
//
// The model is trained through its Conditioning with the steered set `none`:
// one copy of every parameter beside the weights it started from.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "moft/generation/steered_policy.h"
#include "moft/training/sft/pairs.h"
#include "moft/training/step_memory.h"
#include "moft/training/supervised_trainer.h"

namespace moft {

// The name of the only objective of a policy that is trained by likelihood.
inline constexpr const char* kSftObjective = "likelihood";

// What makes a SteeredPolicy of a model trainable here.
PolicyDefinition sft_definition(std::string prompt_template);

// The one steering of such a policy.
Steering sft_steering();

// Sum of log-probabilities and how many tokens it is over.
struct TokenLikelihood {
  double log_prob = 0.0;  // nats
  std::int64_t tokens = 0;
  double loss() const { return -log_prob / static_cast<double>(tokens); }
};

// How a step of these pairs is divided, of one completion each. CallerError
// when sft.memory_budget does not suffice for one of them.
StepMemory sft_memory(
    const ModelShape& model, StepShape shape, const SftOptions& options);

// CallerError when it does not suffice for a step that `pairs` can make: the
// longest prompt beside the longest completion.
void check_sft_memory(
    const ModelShape& model,
    const std::vector<SftPair>& pairs,
    const SftOptions& options);

struct SftInputs {
  SteeredPolicy* policy = nullptr;  // of sft_definition()
  const std::vector<SftPair>* train = nullptr;
  const std::vector<SftPair>* held_out = nullptr;
  bool shuffle = true;
  Group* group = nullptr;  // that takes the steps together; none: alone
};

class SftTrainer : public SupervisedTrainer {
 public:
  // What `inputs` points to must outlive the trainer.
  SftTrainer(SftInputs inputs, SftOptions options);

  // Loss and gradient of a batch as a step computes them; the gradient stays
  // with the policy's conditioning.
  TokenLikelihood differentiate(std::vector<const SftPair*> batch);
  // Loss over the first options().evaluation.pairs held-out pairs.
  TokenLikelihood held_out() const;
  // The same as metrics, for a run: held_out/loss. WorldError unless finite.
  std::map<std::string, double> evaluate() const;

  RunOptions run_options() const override;

 private:
  std::map<std::string, double> learn(
      const std::vector<std::size_t>& rows) override;
  StepMemory memory_of(std::span<const SftPair* const> pairs) const;

  SftInputs inputs_;
  SftOptions options_;
  Coefficients coefficients_;
};

}  // namespace moft
