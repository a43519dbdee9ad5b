// A Gemma decoder on packed tokens; decoding and scoring are CausalModel's.
//
// Masters are the files' w; a norm multiplies with 1 + w.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "moft/models/causal_model.h"
#include "moft/models/gemma/config.h"
#include "moft/models/llama/rope_table.h"
#include "moft/models/model_builder.h"

namespace moft {

struct GemmaLayer {
  std::shared_ptr<SteeredParameter> input_norm, attention_norm;
  std::shared_ptr<SteeredParameter> feed_forward_norm, output_norm;
  std::shared_ptr<SteeredParameter> query_norm, key_norm;  // Gemma 3
  SteeredLinear q, k, v, o;
  SteeredLinear gate, up, down;
};

class GemmaModel : public CausalModel {
 public:
  GemmaModel(
      GemmaConfig config,
      const FindParameter& find,
      const LoadOptions& options);

  const GemmaConfig& config() const { return config_; }

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
  void build(ModelBuilder& builder);
  void build_layer(
      ModelBuilder& builder, GemmaLayer& layer, const std::string& prefix);
  at::Tensor norm(
      const at::Tensor& x,
      const SteeredParameter& weight,
      const RowSteering& steering) const;
  at::Tensor attention(
      const at::Tensor& x, std::int64_t index, const CausalPass& pass) const;
  at::Tensor feed_forward(
      const at::Tensor& x,
      const GemmaLayer& layer,
      const RowSteering& steering) const;

  GemmaConfig config_;
  std::shared_ptr<SteeredParameter> embedding_;
  std::shared_ptr<SteeredParameter> final_norm_;
  std::vector<GemmaLayer> layers_;
  RopeTable rope_;
  RopeTable local_rope_;
};

}  // namespace moft
