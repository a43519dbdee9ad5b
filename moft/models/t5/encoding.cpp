// Full self-attention of every sequence, block after block.
#include "moft/models/t5/encoding.h"

#include <algorithm>

#include "moft/kernels/padding.h"
#include "moft/kernels/relative_attention.h"

namespace moft {

RowSteering token_steering(const T5Model& model, const T5Sequences& sequences) {
  const auto tokens = kernels::places_of_lengths(sequences.lengths);
  const at::Tensor owner = at::tensor(tokens.sequence, at::kLong);
  return sequences.steering.select(owner.to(model.device()));
}

at::Tensor encode_blocks(
    const T5Model& model,
    at::Tensor hidden,
    std::int64_t begin,
    std::int64_t end,
    const T5Sequences& sequences) {
  if (begin == end) return hidden;
  const auto& lengths = sequences.lengths;
  const std::int64_t count = std::ssize(lengths);
  const at::Tensor bias = model.encoder_bias(
      *std::max_element(lengths.begin(), lengths.end()),
      count,
      sequences.steering);
  T5Pass pass;
  pass.steering = token_steering(model, sequences);
  pass.attend = [&](std::int64_t,
                    const at::Tensor& q,
                    const at::Tensor& k,
                    const at::Tensor& v) {
    // Scores of T5 are not scaled.
    return kernels::relative_attention(q, k, v, bias, lengths, /*scale=*/1.0)
        .flatten(1);
  };
  return model.run_encoder(std::move(hidden), begin, end, pass);
}

}  // namespace moft
