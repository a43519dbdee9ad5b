// A Llama-shaped decoder on packed tokens; decoding and scoring are
// CausalModel's. The reference computation is Hugging Face's LlamaModel.
//
// Thread safety: one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "moft/models/causal_model.h"
#include "moft/models/llama/config.h"
#include "moft/models/model_builder.h"

namespace moft {

struct LlamaLayer {
  std::shared_ptr<SteeredParameter> input_norm;
  std::shared_ptr<SteeredParameter> post_norm;
  std::shared_ptr<SteeredParameter> query_norm;  // Qwen3 only
  std::shared_ptr<SteeredParameter> key_norm;
  SteeredLinear q, k, v, o;
  SteeredLinear gate, up, down;
};

class LlamaModel : public CausalModel {
 public:
  LlamaModel(
      LlamaConfig config,
      const FindParameter& find,
      const LoadOptions& options);

  const LlamaConfig& config() const { return config_; }

  at::Tensor embed(
      const at::Tensor& ids, const RowSteering& steering) const override;
  at::Tensor run_layers(
      at::Tensor hidden,
      std::int64_t begin,
      std::int64_t end,
      const CausalPass& pass) const override;
  at::Tensor final_states(
      const at::Tensor& hidden, const RowSteering& steering) const override;

 private:
  at::Tensor norm(
      const at::Tensor& x,
      const SteeredParameter& gain,
      const CausalPass& pass) const;
  at::Tensor attention(
      const at::Tensor& x, std::int64_t layer, const CausalPass& pass) const;
  at::Tensor feed_forward(
      const at::Tensor& x,
      const LlamaLayer& layer,
      const CausalPass& pass) const;
  at::Tensor rotate(const at::Tensor& x, const CausalPass& pass) const;
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
