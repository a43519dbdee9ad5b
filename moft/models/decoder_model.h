// The decoder that a DecoderConfig describes, on packed tokens: Llama's and
// Gemma's kinds. Decoding and scoring are CausalModel's. The reference
// computations are Hugging Face's LlamaModel, Gemma2Model and Gemma3TextModel.
//
// Masters are the files' numbers: where norms multiply with 1 + w, w.
//
// Thread safety: one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "moft/models/causal_model.h"
#include "moft/models/decoder_config.h"
#include "moft/models/llama/rope_table.h"
#include "moft/models/model_builder.h"

namespace moft {

class DecoderModel : public CausalModel {
 public:
  DecoderModel(
      DecoderConfig config,
      const FindParameter& find,
      const LoadOptions& options);

  const DecoderConfig& config() const { return config_; }

  at::Tensor embed(
      const at::Tensor& ids, const RowSteering& steering) const override;
  at::Tensor run_layers(
      at::Tensor hidden,
      std::int64_t begin,
      std::int64_t end,
      const CausalPass& pass) const override;
  at::Tensor final_states(
      const at::Tensor& hidden, const RowSteering& steering) const override;
  // Soft-capped where the configuration says so.
  at::Tensor logits(
      const at::Tensor& states, const RowSteering& steering) const override;

 private:
  using Gain = std::shared_ptr<SteeredParameter>;  // null: no norm
  struct Layer {
    Gain attention_norm, attention_part_norm;
    Gain query_norm, key_norm;
    Gain feed_forward_norm, feed_forward_part_norm;
    SteeredLinear q, k, v, o;
    SteeredLinear gate, up, down;
  };

  void build(ModelBuilder& builder);
  void build_layer(
      ModelBuilder& builder, Layer& layer, const std::string& prefix);
  at::Tensor norm(
      const at::Tensor& x, const Gain& gain, const RowSteering& steering) const;
  at::Tensor attention(
      const at::Tensor& x, std::int64_t index, const CausalPass& pass) const;
  at::Tensor feed_forward(
      const at::Tensor& x,
      const Layer& layer,
      const RowSteering& steering) const;

  DecoderConfig config_;
  std::shared_ptr<SteeredParameter> embedding_;
  Gain final_norm_;
  std::vector<Layer> layers_;
  RopeTable rope_;
  RopeTable local_rope_;  // where there are local layers
};

}  // namespace moft
