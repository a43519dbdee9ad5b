// GPT-2, as the base of reward models: LayerNorms before attention and feed
// forward, learned positions. Radford et al., 2019. The reference computation
// is Hugging Face's GPT2Model without dropout.
//
// Matrices are read transposed: its files keep them as [in, out].
//
// Errors and thread safety: as SequenceModel's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/models/activation.h"
#include "moft/models/causal_model.h"
#include "moft/models/model_builder.h"
#include "moft/models/steered_layer_norm.h"

namespace moft::gpt2 {

struct Gpt2Config {
  std::int64_t vocabulary = 0;
  std::int64_t width = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t inner = 0;
  std::int64_t context = 0;
  double norm_epsilon = 1e-5;
  Activation activation = Activation::kGeluTanh;
};

// CallerError naming the key that asks for another computation.
Gpt2Config parse_config(const nlohmann::json& config, const std::string& place);

class Gpt2Model : public CausalModel {
 public:
  Gpt2Model(
      const Gpt2Config& config,
      const FindParameter& find,
      const LoadOptions& options);

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
  struct Layer {
    SteeredLayerNorm attention_norm;
    SteeredLinear qkv, o;
    SteeredLayerNorm feed_forward_norm;
    SteeredLinear up, down;
  };

  void build(ModelBuilder& builder);

  Gpt2Config config_;
  std::shared_ptr<SteeredParameter> words_;      // [vocabulary, width]
  std::shared_ptr<SteeredParameter> positions_;  // [context, width]
  std::vector<Layer> layers_;
  SteeredLayerNorm final_norm_;
};

}  // namespace moft::gpt2
