// The interface of every family of language models. Nothing above
// models/ asks which family it talks to.
//
// A model scores given completions (differentiably) and decodes new ones, both
// under one steering per prompt or row. Both share the work on a prompt among
// its completions, and the work of the layers below the first steered one
// among all steerings of a prompt.
//
// Letters: P prompts, B rows (completions), V vocabulary.
// Errors: CallerError for token ids outside the vocabulary and for sequences
// longer than the context.
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "moft/models/sequence_model.h"
#include "moft/weightings/steering.h"

namespace moft {

// What the frozen lower layers computed for a batch, kept by a rollout so that
// scoring need not compute it again. Opaque above models/.
struct Features {
  std::int64_t first_layer = 0;         // the layer these states enter
  std::vector<at::Tensor> prompts;      // P x [prompt tokens, width]
  std::vector<at::Tensor> completions;  // B x [completion tokens - 1, width]
};

// What a rollout computed of its prompts with gradient, so that scoring them
// continues from there instead of computing it again. Opaque above models/.
struct PromptGraph {
  std::vector<at::Tensor> states;
};

struct ScoreBatch {
  std::vector<TokenIds> prompts;             // [P]
  std::vector<TokenIds> completions;         // [B], none empty
  std::vector<std::int64_t> prompt_of_row;   // [B]
  std::shared_ptr<const Features> features;  // or null
  // From a rollout of exactly these prompts under the same steerings, or null.
  // Serves one backward pass.
  std::shared_ptr<const PromptGraph> prompt_graph;
};

class Decoder;
struct DecoderLimits;

class LanguageModel : public SequenceModel {
 public:
  // States that predict each completion token, rows one after the other:
  // [sum of completion lengths, width]. `steering` has one row per prompt or is
  // uniform.
  virtual at::Tensor completion_states(
      const ScoreBatch& batch, const RowSteering& steering) = 0;
  // Their logits: [.., V].
  at::Tensor completion_logits(
      const ScoreBatch& batch, const RowSteering& steering);
  // The head and what a family does to its outputs: states [rows, width] ->
  // [rows, V]; a row of `steering` per row, or uniform.
  virtual at::Tensor logits(
      const at::Tensor& states, const RowSteering& steering) const;

  // A decoder of its own memory; the model must outlive it (decoder.h).
  virtual std::unique_ptr<Decoder> open_decoder(
      const DecoderLimits& limits) = 0;

  // CallerError unless every id is in the vocabulary and a sequence of
  // `total_length` tokens fits into the context.
  void check_tokens(const TokenIds& ids, std::int64_t total_length) const;

  // Texts leave room for one more token in the context.
  at::Tensor token_states(
      const std::vector<TokenIds>& texts, const RowSteering& steering) override;
  at::Tensor last_states(
      const std::vector<TokenIds>& texts, const RowSteering& steering) override;

 protected:
  using SequenceModel::SequenceModel;

  // check_tokens() of all prompts and rows, none of which may be empty.
  void check_batch(const ScoreBatch& batch) const;

  std::string context_note_;  // explains the context in an error, or empty
};

}  // namespace moft
