// Scoring given completions: the encoder reads every prompt once, the decoder
// reads its start token and every completion but its last token, which is
// predicted, never read.
//
// Tokens are packed one sequence after the other; only attention to the prompts
// pads, on the right. All completions of a prompt attend to its encoder states
// in one product, as one long sequence of queries.
#include <algorithm>
#include <limits>

#include <ATen/core/grad_mode.h>

#include "moft/kernels/padding.h"
#include "moft/kernels/relative_attention.h"
#include "moft/kernels/tensors.h"
#include "moft/models/t5/encoding.h"
#include "moft/models/t5/model.h"
#include "moft/models/t5/relative.h"

namespace moft {
namespace {

constexpr float kBlocked = -std::numeric_limits<float>::infinity();

// What the decoder reads: completions, packed.
struct Packed {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> row;      // of each token
  std::vector<std::int64_t> lengths;  // of the rows
};

Packed pack_completions(
    const std::vector<TokenIds>& completions, std::int32_t start) {
  Packed packed;
  for (std::size_t r = 0; r < completions.size(); ++r) {
    packed.ids.push_back(start);
    packed.ids.insert(
        packed.ids.end(), completions[r].begin(), completions[r].end() - 1);
    packed.row.resize(packed.ids.size(), static_cast<std::int64_t>(r));
    packed.lengths.push_back(std::ssize(completions[r]));
  }
  return packed;
}

// Scores of T5 are not scaled.
constexpr double kScale = 1.0;

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

  at::Tensor states() {
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
    encoder_padding_.emplace(
        kernels::places_of_lengths(prompts.lengths),
        std::ssize(batch_.prompts),
        device_);
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
              : model_.embed(
                    kernels::long_tensor(ids, device_), encoder_steering_);
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

  // Decoder tokens of `rows` as one sequence of queries for each prompt.
  kernels::Padding queries_by_prompt(
      const std::vector<std::int64_t>& rows) const {
    std::vector<std::int64_t> prompts;
    for (const std::int64_t row : rows)
      prompts.push_back(batch_.prompt_of_row[static_cast<std::size_t>(row)]);
    return kernels::Padding(
        kernels::places_of_members(std::move(prompts)),
        std::ssize(batch_.prompts),
        device_);
  }

  // Biases of distances 1 - n .. n - 1: a token reads itself and what came
  // before.
  at::Tensor causal_bias(
      std::int64_t n, std::int64_t rows, const RowSteering& steering) const {
    return at::constant_pad_nd(
        model_.distance_bias(model_.decoder(), n, rows, steering),
        {0, n - 1},
        kBlocked);
  }

  at::Tensor decode() {
    const Packed packed =
        pack_completions(batch_.completions, model_.config().start_token);
    const kernels::Padding cross = queries_by_prompt(packed.row);
    const RowSteering row_steering =
        steering_.select(kernels::long_tensor(batch_.prompt_of_row, device_));
    const at::Tensor bias = causal_bias(
        *std::max_element(packed.lengths.begin(), packed.lengths.end()),
        std::ssize(packed.lengths),
        row_steering);
    T5Pass pass;
    pass.steering =
        row_steering.select(kernels::long_tensor(packed.row, device_));
    pass.attend = [&](std::int64_t,
                      const at::Tensor& q,
                      const at::Tensor& k,
                      const at::Tensor& v) {
      return kernels::relative_attention(q, k, v, bias, packed.lengths, kScale)
          .flatten(1);
    };
    pass.cross = [&](std::int64_t block, const at::Tensor& q) {
      const auto [keys, values] = prompt_keys_values(block);
      return cross.gather(at::scaled_dot_product_attention(
          cross.spread(q),
          encoder_padding_->spread(keys),
          encoder_padding_->spread(values),
          encoder_mask_,
          /*dropout_p=*/0.0,
          /*is_causal=*/false,
          kScale));
    };
    at::Tensor hidden =
        model_.embed(kernels::long_tensor(packed.ids, device_), pass.steering);
    hidden = run_layers(
        hidden,
        0,
        model_.config().decoder_layers,
        model_.config().encoder_layers,
        [&](at::Tensor states, std::int64_t begin, std::int64_t end) {
          return model_.run_blocks(
              model_.decoder(), std::move(states), begin, end, pass);
        });
    return model_.final_states(hidden, pass.steering);
  }

  const T5Model& model_;
  const ScoreBatch& batch_;
  const RowSteering& steering_;
  at::Device device_;
  std::optional<kernels::Padding> encoder_padding_;
  at::Tensor encoder_mask_;       // [P, 1, 1, longest]
  RowSteering encoder_steering_;  // per prompt token
  at::Tensor encoded_;            // [prompt tokens, width]
};

}  // namespace

at::Tensor T5Model::completion_states(
    const ScoreBatch& batch, const RowSteering& steering) {
  check_batch(batch);
  return Scorer(*this, batch, steering).states();
}

}  // namespace moft
