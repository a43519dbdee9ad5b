// A BERT encoder: post-norm transformer over whole texts.
//
//   h = norm(word + position + type 0)
//   per layer: h = norm(h + O softmax(q k^T / sqrt(d)) v)
//              h = norm(h + down act(up h))
//
// Texts are packed one after the other, [N tokens, hidden]; nothing is ever
// padded, so a text pays for its own tokens only. Follows Devlin et al., arXiv
// 1810.04805, with the conventions of Hugging Face transformers. No dropout.
//
// Errors and thread safety: as SequenceModel's. Each call uses ATen's threads.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <ATen/ATen.h>

#include "moft/checkpoints/tensor_source.h"
#include "moft/models/bert/config.h"
#include "moft/models/model_builder.h"
#include "moft/models/sequence_model.h"

namespace moft::bert {

class BertModel : public SequenceModel {
 public:
  BertModel(
      const BertConfig& config,
      const FindParameter& find,
      const LoadOptions& options);

  const BertConfig& config() const { return config_; }

  // Adjacent texts of equal length share their attention calls: sort by length
  // where there are many.
  at::Tensor token_states(
      const std::vector<TokenIds>& texts, const RowSteering& steering) override;

 private:
  struct Norm {
    std::shared_ptr<SteeredParameter> gain;
    std::shared_ptr<SteeredParameter> bias;
  };
  struct Layer {
    SteeredLinear q, k, v, o;
    Norm attention_norm;
    SteeredLinear up, down;
    Norm output_norm;
  };
  // Adjacent texts of one length: rows [first, first + texts * length).
  struct Group {
    std::int64_t first;
    std::int64_t texts;
    std::int64_t length;
  };

  void build(ModelBuilder& builder);
  void build_layer(ModelBuilder& builder, Layer& layer, std::int64_t index);
  void check(const std::vector<TokenIds>& texts) const;
  static std::vector<Group> group(const std::vector<TokenIds>& texts);
  at::Tensor embed(
      const std::vector<std::int64_t>& ids,
      const std::vector<std::int64_t>& positions,
      const RowSteering& steering) const;
  at::Tensor norm(
      const at::Tensor& x, const Norm& norm, const RowSteering& steering) const;
  at::Tensor attend(
      const at::Tensor& qkv, const std::vector<Group>& groups) const;
  at::Tensor activate(at::Tensor x) const;

  BertConfig config_;
  std::shared_ptr<SteeredParameter> words_;      // [vocab, hidden]
  std::shared_ptr<SteeredParameter> positions_;  // [max_positions, hidden]
  std::shared_ptr<SteeredParameter> types_;      // [type_vocab_size, hidden]
  Norm embedding_norm_;
  std::vector<Layer> layers_;
};

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
