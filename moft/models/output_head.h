// The head of a classifier: from the state of a text to outputs,
//
//   y = out norm(act(dense x))
//
// where a family has no dense layer or no norm, without them.
//
// Thread safety: one thread at a time, as SequenceModel.
#pragma once

#include <cstdint>
#include <string>

#include <ATen/ATen.h>

#include "moft/models/activation.h"
#include "moft/models/headed_model.h"
#include "moft/models/model_builder.h"
#include "moft/models/steered_layer_norm.h"

namespace moft {

// Names are Hugging Face's modules.
struct HeadShape {
  ReadAt read_at = ReadAt::kFirstToken;
  std::int64_t outputs = 0;
  std::string dense;  // empty: none, and no activation
  bool dense_bias = true;
  Activation activation = Activation::kTanh;
  std::string norm;  // a LayerNorm; empty: none
  bool norm_bias = true;
  double norm_epsilon = 1e-5;
  std::string out = "classifier";
  bool out_bias = true;
};

class OutputHead {
 public:
  // The maps are listed in the builder's Steerable: the head must stay where it
  // is.
  OutputHead(ModelBuilder& builder, const HeadShape& shape, std::int64_t width);
  OutputHead(const OutputHead&) = delete;
  OutputHead& operator=(const OutputHead&) = delete;

  const HeadShape& shape() const { return shape_; }
  // states [texts, width] -> [texts, outputs].
  at::Tensor forward(at::Tensor states, const RowSteering& steering) const;

 private:
  HeadShape shape_;
  SteeredLinear dense_;
  SteeredLayerNorm norm_;
  SteeredLinear out_;
};

}  // namespace moft
