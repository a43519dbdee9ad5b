// From the tensor names of a Hugging Face BERT file to a BERT's weights.
#pragma once

#include <vector>

#include <ATen/ATen.h>

#include "moft/checkpoints/tensor_source.h"
#include "moft/models/bert/config.h"

namespace moft::bert {

// A linear layer's parameters: weight [out, in], bias [out].
struct Linear {
  at::Tensor weight;
  at::Tensor bias;
};

// gain and bias [hidden]
struct LayerNorm {
  at::Tensor gain;
  at::Tensor bias;
};

struct LayerWeights {
  Linear qkv;  // [3 hidden, hidden]: query, key, value one below the other
  Linear attention_output;
  LayerNorm attention_norm;
  Linear up;    // [intermediate, hidden]
  Linear down;  // [hidden, intermediate]
  LayerNorm output_norm;
};

struct BertWeights {
  at::Tensor words;      // [vocab, hidden]
  at::Tensor positions;  // [max_positions, hidden]
  at::Tensor types;      // [type_vocab, hidden]
  LayerNorm embedding_norm;
  std::vector<LayerWeights> layers;
};

// Copies the weights out of `source` as float32 on the CPU. Names may carry
// the prefix "bert.". Throws CallerError naming the file and the tensor for
// one that is missing or has another shape than the configuration says, and
// for tensors nobody asked for: a model with more to it than we compute must
// not be run as if it had not. Heads that no hidden state depends on (pooler,
// cls.*) and position_ids are let through.
BertWeights load_weights(const TensorSource& source, const BertConfig& config);

}  // namespace moft::bert
