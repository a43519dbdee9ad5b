#include "moft/models/t5/encoding.h"

#include <algorithm>

#include "moft/core/errors.h"
#include "moft/kernels/masked_attention.h"
#include "moft/kernels/padding.h"

namespace moft {
namespace {

// Full self-attention of every sequence. q, k, v [tokens, heads, size]; bias
// [sequences or 1, heads, longest, longest].
at::Tensor attend_each(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& bias,
    const std::vector<std::int64_t>& lengths) {
  std::vector<at::Tensor> attended;
  std::int64_t begin = 0;
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    const std::int64_t n = lengths[s];
    const auto heads_first = [&](const at::Tensor& packed) {
      return packed.narrow(0, begin, n).transpose(0, 1).unsqueeze(0);
    };
    const auto table = static_cast<std::int64_t>(s) % bias.size(0);
    const at::Tensor mask =
        bias.narrow(0, table, 1).narrow(2, 0, n).narrow(3, 0, n);
    // Scores of T5 are not scaled.
    const at::Tensor y = kernels::masked_attention(
        heads_first(q), heads_first(k), heads_first(v), mask, /*scale=*/1.0);
    attended.push_back(y.squeeze(0).transpose(0, 1).reshape({n, -1}));
    begin += n;
  }
  return at::cat(attended);
}

// The same, all sequences at once.
at::Tensor attend_at_once(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& mask,
    const kernels::Padding& padding) {
  return padding.gather(kernels::masked_attention(
      padding.spread(q),
      padding.spread(k),
      padding.spread(v),
      mask,
      /*scale=*/1.0));
}

}  // namespace

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
  if (model.device().is_cpu()) {
    pass.attend = [&](std::int64_t,
                      const at::Tensor& q,
                      const at::Tensor& k,
                      const at::Tensor& v) {
      return attend_each(q, k, v, bias, lengths);
    };
  } else {
    const kernels::Padding padding(
        kernels::places_of_lengths(lengths), count, model.device());
    pass.attend = [padding, mask = bias + padding.key_mask()](
                      std::int64_t,
                      const at::Tensor& q,
                      const at::Tensor& k,
                      const at::Tensor& v) {
      return attend_at_once(q, k, v, mask, padding);
    };
  }
  return model.run_encoder(std::move(hidden), begin, end, pass);
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
