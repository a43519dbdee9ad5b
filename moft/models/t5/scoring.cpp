// Scoring given completions: the encoder reads every prompt once, the decoder
// reads its start token and every completion but its last token, which is
// predicted, never read.
//
// Tokens are packed one sequence after the other; only attention pads, on the
// right. All completions of a prompt attend to its encoder states in one
// product, as one long sequence of queries.
#include <algorithm>
#include <limits>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"
#include "moft/kernels/masked_attention.h"
#include "moft/models/t5/encoding.h"
#include "moft/models/t5/model.h"
#include "moft/models/t5/relative.h"

namespace moft {
namespace {

constexpr float kBlocked = -std::numeric_limits<float>::infinity();

at::Tensor index_tensor(
    const std::vector<std::int64_t>& values, at::Device device) {
  return at::tensor(values, at::kLong).to(device);
}

// Packed sequences and where their tokens stand when padded.
struct Packed {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> owner;   // sequence of each token
  std::vector<std::int64_t> padded;  // place in [sequences, longest]
  std::int64_t longest = 0;
};

void place_tokens(Packed& packed) {
  std::vector<std::int64_t> lengths;
  for (const std::int64_t sequence : packed.owner) {
    const auto s = static_cast<std::size_t>(sequence);
    if (lengths.size() <= s) lengths.resize(s + 1, 0);
    packed.padded.push_back(lengths[s]++);
    packed.longest = std::max(packed.longest, lengths[s]);
  }
  for (std::size_t i = 0; i < packed.owner.size(); ++i)
    packed.padded[i] += packed.owner[i] * packed.longest;
}

Packed pack_completions(
    const std::vector<TokenIds>& completions, std::int32_t start) {
  Packed packed;
  for (std::size_t r = 0; r < completions.size(); ++r) {
    packed.ids.push_back(start);
    packed.ids.insert(
        packed.ids.end(), completions[r].begin(), completions[r].end() - 1);
    packed.owner.resize(packed.ids.size(), static_cast<std::int64_t>(r));
  }
  place_tokens(packed);
  return packed;
}

// Whether every place is taken and tokens stand in the order of their places.
bool is_full(const std::vector<std::int64_t>& padded, std::int64_t places) {
  if (std::ssize(padded) != places) return false;
  for (std::int64_t i = 0; i < places; ++i) {
    if (padded[static_cast<std::size_t>(i)] != i) return false;
  }
  return true;
}

// A batch of padded sequences for attention.
class Padding {
 public:
  Padding(
      const std::vector<std::int64_t>& padded,
      std::int64_t sequences,
      std::int64_t longest,
      at::Device device)
      : places_(index_tensor(padded, device)),
        sequences_(sequences),
        longest_(longest),
        full_(is_full(padded, sequences * longest)) {}

  // [tokens, heads, size] -> [sequences, heads, longest, size].
  at::Tensor spread(const at::Tensor& packed) const {
    const std::int64_t heads = packed.size(1);
    const std::int64_t size = packed.size(2);
    if (full_) {
      return packed.view({sequences_, longest_, heads, size}).transpose(1, 2);
    }
    return at::zeros({sequences_ * longest_, heads, size}, packed.options())
        .index_copy(0, places_, packed)
        .view({sequences_, longest_, heads, size})
        .transpose(1, 2);
  }
  // [sequences, heads, longest, size] -> [tokens, heads * size].
  at::Tensor gather(const at::Tensor& full) const {
    const at::Tensor tokens =
        full.transpose(1, 2).reshape({sequences_ * longest_, -1});
    return full_ ? tokens : tokens.index_select(0, places_);
  }
  // Additive [sequences, 1, 1, longest]: 0 for tokens, -inf for padding.
  at::Tensor key_mask() const {
    const at::TensorOptions options = at::device(places_.device());
    return at::full({sequences_ * longest_}, kBlocked, options)
        .index_fill_(0, places_, 0.0)
        .view({sequences_, 1, 1, longest_});
  }

 private:
  at::Tensor places_;
  std::int64_t sequences_;
  std::int64_t longest_;
  bool full_;  // packed and padded are the same
};

// Scores of T5 are not scaled.
at::Tensor attend_padded(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& mask) {
  return kernels::masked_attention(q, k, v, mask, /*scale=*/1.0);
}

void check_batch(const T5Model& model, const ScoreBatch& batch) {
  for (std::size_t row = 0; row < batch.completions.size(); ++row) {
    const auto& prompt =
        batch.prompts.at(static_cast<std::size_t>(batch.prompt_of_row[row]));
    const auto& completion = batch.completions[row];
    if (prompt.empty() || completion.empty()) {
      throw_caller_error(
          "row {} has an empty {}; scoring needs at least one token of each",
          row,
          prompt.empty() ? "prompt" : "completion");
    }
    check_vocabulary(completion, model.config().vocabulary);
  }
  for (const TokenIds& prompt : batch.prompts)
    check_vocabulary(prompt, model.config().vocabulary);
}

// One forward pass of a batch.
class Scorer {
 public:
  Scorer(
      const T5Model& model,
      const ScoreBatch& batch,
      const RowSteering& steering)
      : model_(model),
        batch_(batch),
        steering_(steering),
        device_(model.device()) {}

  at::Tensor logits() {
    look_at_prompts();
    return decode();
  }

 private:
  // Runs layers begin .. end of one stack; those below the first steered one
  // need no gradient. `offset`: the stack's first layer.
  template <typename Run>
  at::Tensor run_layers(
      at::Tensor hidden,
      std::int64_t begin,
      std::int64_t end,
      std::int64_t offset,
      Run run) const {
    const std::int64_t steered =
        model_.steerable().first_steered_layer - offset;
    const std::int64_t frozen = std::clamp(steered, begin, end);
    {
      at::NoGradGuard no_gradient;
      hidden = run(hidden, begin, frozen);
    }
    return run(hidden, frozen, end);
  }

  // Sets what the decoder's blocks read of the prompts.
  void look_at_prompts() {
    T5Sequences prompts;
    prompts.steering = steering_;
    for (const TokenIds& prompt : batch_.prompts)
      prompts.lengths.push_back(std::ssize(prompt));
    const TokenPlaces places = places_of(prompts.lengths);
    Packed packed;
    packed.owner = places.owner;
    place_tokens(packed);
    encoder_padding_.emplace(
        packed.padded, std::ssize(batch_.prompts), packed.longest, device_);
    encoder_mask_ = encoder_padding_->key_mask();
    if (batch_.prompt_graph) return;
    encoder_steering_ = token_steering(model_, prompts);
    encoded_ = encode(prompts);
  }

  at::Tensor encode(const T5Sequences& prompts) const {
    std::vector<std::int64_t> ids;
    for (const TokenIds& prompt : batch_.prompts)
      ids.insert(ids.end(), prompt.begin(), prompt.end());
    const bool reuse = batch_.features != nullptr;
    at::Tensor hidden =
        reuse ? at::cat(batch_.features->prompts)
              : model_.embed(index_tensor(ids, device_), encoder_steering_);
    hidden = run_layers(
        hidden,
        reuse ? batch_.features->first_layer : 0,
        model_.config().encoder_layers,
        0,
        [&](at::Tensor states, std::int64_t begin, std::int64_t end) {
          return encode_blocks(model_, std::move(states), begin, end, prompts);
        });
    return model_.finish_encoder(hidden, encoder_steering_);
  }

  // Keys and values of a decoder block over the prompts' tokens.
  std::pair<at::Tensor, at::Tensor> prompt_keys_values(
      std::int64_t block) const {
    if (batch_.prompt_graph) {
      const auto& states = batch_.prompt_graph->states;
      const auto place = 2 * static_cast<std::size_t>(block);
      return {states.at(place), states.at(place + 1)};
    }
    return model_.cross_keys_values(block, encoded_, encoder_steering_);
  }

  // Where each decoder token stands among all those of its prompt.
  Padding queries_by_prompt(const Packed& tokens) const {
    Packed queries;
    for (const std::int64_t row : tokens.owner) {
      queries.owner.push_back(
          batch_.prompt_of_row[static_cast<std::size_t>(row)]);
    }
    place_tokens(queries);
    const auto prompts = static_cast<std::int64_t>(batch_.prompts.size());
    return Padding(queries.padded, prompts, queries.longest, device_);
  }

  // 0 or -inf [n, n]: a token sees itself and what came before.
  at::Tensor causal_mask(std::int64_t n) const {
    return at::full({n, n}, kBlocked, at::device(device_)).triu_(1);
  }

  at::Tensor decode() {
    const Packed tokens =
        pack_completions(batch_.completions, model_.config().start_token);
    const auto rows = static_cast<std::int64_t>(batch_.completions.size());
    const std::int64_t n = tokens.longest;
    const Padding own(tokens.padded, rows, n, device_);
    const Padding cross = queries_by_prompt(tokens);
    const RowSteering row_steering =
        steering_.select(index_tensor(batch_.prompt_of_row, device_));
    const at::Tensor by_distance = at::constant_pad_nd(
        model_.decoder_bias(n, rows, row_steering), {0, n - 1});
    const at::Tensor mask = spread_distances(by_distance, n) + causal_mask(n);
    T5Pass pass;
    pass.steering = row_steering.select(index_tensor(tokens.owner, device_));
    pass.attend = [&](std::int64_t,
                      const at::Tensor& q,
                      const at::Tensor& k,
                      const at::Tensor& v) {
      return own.gather(
          attend_padded(own.spread(q), own.spread(k), own.spread(v), mask));
    };
    pass.cross = [&](std::int64_t block, const at::Tensor& q) {
      const auto [keys, values] = prompt_keys_values(block);
      return cross.gather(attend_padded(
          cross.spread(q),
          encoder_padding_->spread(keys),
          encoder_padding_->spread(values),
          encoder_mask_));
    };
    at::Tensor hidden =
        model_.embed(index_tensor(tokens.ids, device_), pass.steering);
    hidden = run_layers(
        hidden,
        0,
        model_.config().decoder_layers,
        model_.config().encoder_layers,
        [&](at::Tensor states, std::int64_t begin, std::int64_t end) {
          return model_.run_decoder(std::move(states), begin, end, pass);
        });
    return model_.head(hidden, pass.steering);
  }

  const T5Model& model_;
  const ScoreBatch& batch_;
  const RowSteering& steering_;
  at::Device device_;
  std::optional<Padding> encoder_padding_;
  at::Tensor encoder_mask_;       // [P, 1, 1, longest]
  RowSteering encoder_steering_;  // per prompt token
  at::Tensor encoded_;            // [prompt tokens, width]
};

}  // namespace

at::Tensor T5Model::completion_logits(
    const ScoreBatch& batch, const RowSteering& steering) {
  check_batch(*this, batch);
  return Scorer(*this, batch, steering).logits();
}

}  // namespace moft
