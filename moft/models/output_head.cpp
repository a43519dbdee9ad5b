// The head of a classifier.
#include "moft/models/output_head.h"

#include "moft/models/activate.h"

namespace moft {

OutputHead::OutputHead(
    ModelBuilder& builder, const HeadShape& shape, std::int64_t width)
    : shape_(shape) {
  if (!shape.dense.empty()) {
    builder.linear(
        dense_, "head", {shape.dense, width, width, shape.dense_bias});
  }
  if (!shape.norm.empty())
    norm_ = build_layer_norm(builder, shape.norm, width, shape.norm_bias);
  builder.linear(
      out_, "head", {shape.out, shape.outputs, width, shape.out_bias});
}

at::Tensor OutputHead::forward(
    at::Tensor states, const RowSteering& steering) const {
  if (!shape_.dense.empty())
    states = activate(dense_.forward(states, steering), shape_.activation);
  if (!shape_.norm.empty())
    states = layer_norm_rows(states, norm_, shape_.norm_epsilon, steering);
  return out_.forward(states, steering);
}

}  // namespace moft
