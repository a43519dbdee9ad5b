// ModernBERT: a pre-norm encoder with rotary positions, gated units without
// biases, and layers that look at all tokens or at a window around each.
// Warner et al., arXiv 2412.13663.
//
//   h = norm(word)
//   per layer: h = h + Wo attend(rotate(Wqkv norm(h)))   (layer 0: no norm)
//              [a, b] = Wi norm(h);  h = h + Wo (act(a) b)
//   states = norm(h)
//
// Errors and thread safety: as SequenceModel's. Each call uses ATen's threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "moft/models/encoder_model.h"
#include "moft/models/llama/rope_table.h"
#include "moft/models/model_builder.h"
#include "moft/models/modernbert/config.h"
#include "moft/models/packed_texts.h"
#include "moft/models/steered_layer_norm.h"

namespace moft::modernbert {

class ModernBertModel : public EncoderModel {
 public:
  ModernBertModel(
      ModernBertConfig config,
      const FindParameter& find,
      const LoadOptions& options);

  at::Tensor pair_states(
      const std::vector<TokenIds>& texts,
      const std::vector<std::int64_t>& second,
      const RowSteering& steering) override;

 private:
  struct Layer {
    SteeredLayerNorm attention_norm;  // none in layer 0
    SteeredLinear qkv, attention_out;
    SteeredLayerNorm mlp_norm;
    SteeredLinear in, out;
  };

  void build(ModelBuilder& builder);
  at::Tensor attend(
      const at::Tensor& qkv,
      const PackedTexts& texts,
      const at::Tensor& positions,
      bool local) const;
  at::Tensor norm(
      const at::Tensor& x,
      const SteeredLayerNorm& norm,
      const RowSteering& rows) const;

  ModernBertConfig config_;
  std::shared_ptr<SteeredParameter> words_;  // [vocabulary, width]
  SteeredLayerNorm embedding_norm_;
  std::vector<Layer> layers_;
  SteeredLayerNorm final_norm_;
  RopeTable global_rope_;
  RopeTable local_rope_;
};

}  // namespace moft::modernbert
