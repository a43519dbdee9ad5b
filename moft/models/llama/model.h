// A Llama-shaped decoder on packed tokens.
//
// A forward pass walks layers over `hidden` [tokens, width]; how the tokens of
// a batch attend to each other is the business of an Attend object: a tree
// (completions sharing a prompt, differentiable) or key/value buffers
// (decoding). The reference computation is Hugging Face's LlamaModel.
//
// Thread safety: one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "moft/models/language_model.h"
#include "moft/models/llama/config.h"
#include "moft/models/model_builder.h"

namespace moft {

// q [tokens, heads, head_size], k and v [tokens, kv_heads, head_size] of one
// layer -> [tokens, heads * head_size].
using Attend = std::function<at::Tensor(
    std::int64_t layer,
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v)>;

struct LlamaLayer {
  std::shared_ptr<SteeredParameter> input_norm;
  std::shared_ptr<SteeredParameter> post_norm;
  std::shared_ptr<SteeredParameter> query_norm;  // Qwen3 only
  std::shared_ptr<SteeredParameter> key_norm;
  SteeredLinear q, k, v, o;
  SteeredLinear gate, up, down;
};

// Packed tokens on their way through the layers.
struct LlamaPass {
  at::Tensor positions;  // int64 [tokens]
  RowSteering steering;  // one row per token, or uniform
  Attend attend;
};

class LlamaModel : public LanguageModel {
 public:
  LlamaModel(
      LlamaConfig config,
      const FindParameter& find,
      const LoadOptions& options);

  at::Tensor completion_states(
      const ScoreBatch& batch, const RowSteering& steering) override;
  std::unique_ptr<Decoder> open_decoder(const DecoderLimits& limits) override;

  const LlamaConfig& config() const { return config_; }

  // ids int64 [tokens] -> hidden [tokens, width].
  at::Tensor embed(const at::Tensor& ids, const RowSteering& steering) const;
  // hidden entering layer `begin` -> hidden leaving layer `end` - 1.
  at::Tensor run_layers(
      at::Tensor hidden,
      std::int64_t begin,
      std::int64_t end,
      const LlamaPass& pass) const;
  // The last norm: what the head multiplies.
  at::Tensor final_states(
      const at::Tensor& hidden, const RowSteering& steering) const;
  // Final norm and output head: [rows, width] -> [rows, V].
  at::Tensor head(const at::Tensor& hidden, const RowSteering& steering) const;
  // CallerError unless every id is in the vocabulary and the sequence fits.
  void check_tokens(const TokenIds& ids, std::int64_t total_length) const;

 private:
  at::Tensor norm(
      const at::Tensor& x,
      const SteeredParameter& gain,
      const LlamaPass& pass) const;
  at::Tensor attention(
      const at::Tensor& x, std::int64_t layer, const LlamaPass& pass) const;
  at::Tensor feed_forward(
      const at::Tensor& x,
      const LlamaLayer& layer,
      const LlamaPass& pass) const;
  at::Tensor rotate(const at::Tensor& x, const LlamaPass& pass) const;
  void build(ModelBuilder& builder);
  void build_layer(
      ModelBuilder& builder, LlamaLayer& layer, const std::string& prefix);
  void build_rotary_table();

  LlamaConfig config_;
  std::shared_ptr<SteeredParameter> embedding_;
  std::shared_ptr<SteeredParameter> final_norm_;
  std::vector<LlamaLayer> layers_;
  at::Tensor cosines_;  // [context, head_size / 2]
  at::Tensor sines_;
};

}  // namespace moft
