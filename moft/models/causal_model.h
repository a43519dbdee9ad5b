// A decoder on packed tokens: what decoding and scoring need of its family.
//
// A forward pass walks layers over `hidden` [tokens, width]; how the tokens of
// a batch attend to each other is the business of an Attend object: trees
// (completions sharing a prompt, differentiable) or pages of keys and values
// (decoding). A family says how tokens are embedded, what a layer computes and
// what the head multiplies; decoding and scoring are shared.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <ATen/ATen.h>

#include "moft/models/language_model.h"
#include "moft/models/page_pool.h"

namespace moft {

// q [tokens, heads, head_size], k and v [tokens, kv_heads, head_size] of one
// layer -> [tokens, heads * head_size]. Scores are divided by the root of
// head_size.
using Attend = std::function<at::Tensor(
    std::int64_t layer,
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v)>;

// Packed tokens on their way through the layers.
struct CausalPass {
  at::Tensor positions;  // int64 [tokens]
  RowSteering steering;  // one row per token, or uniform
  Attend attend;
};

class CausalModel : public LanguageModel {
 public:
  at::Tensor completion_states(
      const ScoreBatch& batch, const RowSteering& steering) override;
  std::unique_ptr<Decoder> open_decoder(const DecoderLimits& limits) override;

  // The shape of keys and values.
  const PageShape& shape() const { return shape_; }

  // ids int64 [tokens] -> hidden [tokens, width].
  virtual at::Tensor embed(
      const at::Tensor& ids, const RowSteering& steering) const = 0;
  // hidden entering layer `begin` -> hidden leaving layer `end` - 1.
  virtual at::Tensor run_layers(
      at::Tensor hidden,
      std::int64_t begin,
      std::int64_t end,
      const CausalPass& pass) const = 0;
  // The last norm: what the head multiplies.
  virtual at::Tensor final_states(
      const at::Tensor& hidden, const RowSteering& steering) const = 0;
  // Final norm and output head: [rows, width] -> [rows, V].
  at::Tensor head(const at::Tensor& hidden, const RowSteering& steering) const;

 protected:
  using LanguageModel::LanguageModel;

  PageShape shape_;
};

}  // namespace moft
