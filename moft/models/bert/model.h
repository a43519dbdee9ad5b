// A BERT encoder for inference: post-norm transformer over whole texts.
//
//   h = norm(word + position + type 0)
//   per layer: h = norm(h + O softmax(q k^T / sqrt(d)) v)
//              h = norm(h + down act(up h))
//
// Texts are packed one after the other, [N tokens, hidden]; nothing is ever
// padded, so a text pays for its own tokens only. Follows Devlin et al., arXiv
// 1810.04805, with the conventions of Hugging Face transformers.
//
// Thread safety: immutable after construction; calls may run at once. Each
// call uses ATen's threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/ATen.h>

#include "moft/kernels/packed_matrix.h"
#include "moft/models/bert/config.h"
#include "moft/models/bert/names.h"

namespace moft::bert {

class BertModel {
 public:
  BertModel(
      const BertConfig& config, const BertWeights& weights, at::Device device);

  const BertConfig& config() const { return config_; }
  at::Device device() const { return words_.device(); }

  // Last hidden states [N, hidden] float32, texts in the order given, one
  // below the other. Adjacent texts of equal length share their attention
  // calls: sort by length where there are many. Throws CallerError for an
  // empty text, one longer than config().max_positions, or an id outside the
  // vocabulary.
  at::Tensor hidden_states(
      std::span<const std::vector<std::int32_t>> texts) const;

 private:
  struct PackedLinear {
    PackedLinear(const Linear& linear, at::Device device);
    at::Tensor operator()(const at::Tensor& x) const;

    kernels::PackedMatrix weight;
    at::Tensor bias;
  };
  struct Norm {
    Norm(const LayerNorm& norm, double epsilon, at::Device device);
    at::Tensor operator()(const at::Tensor& x) const;

    at::Tensor gain;
    at::Tensor bias;
    double eps;
  };
  struct Layer {
    PackedLinear qkv;
    PackedLinear attention_output;
    Norm attention_norm;
    PackedLinear up;
    PackedLinear down;
    Norm output_norm;
  };
  // Adjacent texts of one length: rows [first, first + texts * length).
  struct Group {
    std::int64_t first;
    std::int64_t texts;
    std::int64_t length;
  };

  void check(std::span<const std::vector<std::int32_t>> texts) const;
  static std::vector<Group> group(
      std::span<const std::vector<std::int32_t>> texts);
  at::Tensor embed(std::span<const std::vector<std::int32_t>> texts) const;
  at::Tensor attend(
      const at::Tensor& qkv, const std::vector<Group>& groups) const;
  at::Tensor activate(at::Tensor x) const;

  BertConfig config_;
  at::Tensor words_;      // [vocab, hidden]
  at::Tensor positions_;  // [max_positions, hidden], type 0 added
  Norm embedding_norm_;
  std::vector<Layer> layers_;
};

}  // namespace moft::bert
