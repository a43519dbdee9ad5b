// Full self-attention of every sequence, block after block.
#include "moft/models/t5/encoding.h"

#include <algorithm>

#include "moft/core/errors.h"
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
  const at::Tensor bias = model.distance_bias(
      model.encoder(),
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
  return model.run_blocks(model.encoder(), std::move(hidden), begin, end, pass);
}

at::Tensor T5Model::token_states(
    const std::vector<TokenIds>& texts, const RowSteering& steering) {
  T5Sequences sequences{{}, steering};
  std::vector<std::int64_t> ids;
  for (const TokenIds& text : texts) {
    if (text.empty()) throw_caller_error("a text has no tokens; give some");
    check_vocabulary(text, config_.vocabulary);
    sequences.lengths.push_back(std::ssize(text));
    ids.insert(ids.end(), text.begin(), text.end());
  }
  const RowSteering by_token = token_steering(*this, sequences);
  at::Tensor hidden = embed(at::tensor(ids, at::kLong).to(device_), by_token);
  hidden = encode_blocks(
      *this, std::move(hidden), 0, config_.encoder_layers, sequences);
  return finish_encoder(hidden, by_token);
}

}  // namespace moft
