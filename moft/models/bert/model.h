// A BERT encoder: post-norm transformer over whole texts.
//
//   h = norm(word + position + segment)
//   per layer: h = norm(h + O softmax(q k^T / sqrt(d)) v)
//              h = norm(h + down act(up h))
//
// Texts are packed (packed_texts.h), [N tokens, hidden]. Follows Devlin et al.,
// arXiv 1810.04805, with the conventions of Hugging Face transformers. No
// dropout. Families of this shape with another attention derive from it.
//
// Errors and thread safety: as SequenceModel's. Each call uses ATen's threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "moft/checkpoints/tensor_source.h"
#include "moft/models/bert/config.h"
#include "moft/models/encoder_model.h"
#include "moft/models/model_builder.h"
#include "moft/models/packed_texts.h"
#include "moft/models/steered_layer_norm.h"

namespace moft::bert {

// How a family names its tensors: `root`, then these inside a layer.
struct BertNames {
  std::string root = "bert.";
  std::string query = "attention.self.query";
  std::string key = "attention.self.key";
  std::string value = "attention.self.value";
  std::string output = "attention.output.dense";
  std::string attention_norm = "attention.output.LayerNorm";
};

class BertModel : public EncoderModel {
 public:
  BertModel(
      const BertConfig& config,
      const FindParameter& find,
      const LoadOptions& options,
      const BertNames& names = {});

  const BertConfig& config() const { return config_; }

  at::Tensor pair_states(
      const std::vector<TokenIds>& texts,
      const std::vector<std::int64_t>& second,
      const RowSteering& steering) override;

 protected:
  struct Layer {
    SteeredLinear q, k, v, o;
    SteeredLayerNorm attention_norm;
    SteeredLinear up, down;
    SteeredLayerNorm output_norm;
  };

  // qkv [N, 3 hidden] of layer `index` -> [N, hidden].
  virtual at::Tensor attend(
      const at::Tensor& qkv,
      const PackedTexts& texts,
      std::size_t index,
      const RowSteering& rows) const;
  // What a family adds to the output x of layer `index`; `embedded` is what
  // entered the first layer.
  virtual at::Tensor after_layer(
      at::Tensor x,
      const at::Tensor& embedded,
      const PackedTexts& texts,
      std::size_t index,
      const RowSteering& rows) const;

  const Layer& layer(std::size_t index) const { return layers_.at(index); }

 private:
  void build(ModelBuilder& builder, const BertNames& names);
  void build_layer(
      ModelBuilder& builder,
      Layer& layer,
      std::int64_t index,
      const BertNames& names);
  at::Tensor embed(const PackedTexts& texts, const RowSteering& rows) const;

  BertConfig config_;
  std::shared_ptr<SteeredParameter> words_;      // [vocab, hidden]
  std::shared_ptr<SteeredParameter> positions_;  // [max_positions, hidden]
  std::shared_ptr<SteeredParameter> types_;      // [type_vocab_size, hidden]
  SteeredLayerNorm embedding_norm_;
  std::vector<Layer> layers_;
};

// y = x W^T + b; without gradient the sums start at the bias, which saves a
// pass over the result.
at::Tensor multiply(
    const SteeredLinear& linear,
    const at::Tensor& x,
    const RowSteering& steering);

// The model in `source`, whose names may carry a prefix such as "bert.". Heads
// that no state depends on (pooler, cls.*, classifier.*) are passed over.
// CallerError naming the file and the tensor for one that is missing, has
// another shape than the configuration says, is not finite, or is not read: a
// file with more to it than moft computes is another model.
std::unique_ptr<BertModel> load_model(
    std::shared_ptr<const TensorSource> source,
    const BertConfig& config,
    at::Device device = at::kCPU);

}  // namespace moft::bert
