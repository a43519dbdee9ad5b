// Forward pass of a T5 encoder-decoder.
#include "moft/models/t5/model.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "moft/conditioning/steered_rows.h"
#include "moft/core/errors.h"
#include "moft/kernels/elementwise.h"
#include "moft/models/steered_norm.h"
#include "moft/models/t5/names.h"
#include "moft/models/t5/relative.h"

namespace moft {
namespace {

// Relative positions never run out; this only keeps sums of lengths small.
constexpr std::int64_t kContext = std::numeric_limits<std::int32_t>::max();

double head_scale(const T5Config& config) {
  return 1.0 / std::sqrt(static_cast<double>(config.width));
}

}  // namespace

T5Model::T5Model(
    T5Config config, const FindParameter& find, const LoadOptions& options)
    : LanguageModel(options.device), config_(std::move(config)) {
  ModelBuilder builder(steerable_, find, options);
  build(builder);
  info_.family = "t5";
  info_.vocabulary = config_.vocabulary;
  info_.context = kContext;
  info_.width = config_.width;
  info_.end_tokens = config_.end_tokens;
  info_.parameters = builder.count();
}

void T5Model::build(ModelBuilder& builder) {
  const T5Config& c = config_;
  steerable_.layers = c.encoder_layers + c.decoder_layers;
  steerable_.stacks = {c.encoder_layers, c.decoder_layers};
  if (c.tied_head) steerable_.tied_head_scale = head_scale(c);
  steerable_.first_steered_layer = steerable_.layers;
  embedding_ = builder.parameter(kT5EmbeddingNames[0], {c.vocabulary, c.width});
  encoder_.blocks.resize(static_cast<std::size_t>(c.encoder_layers));
  decoder_.blocks.resize(static_cast<std::size_t>(c.decoder_layers));
  decoder_.is_decoder = true;
  build_stack(builder, encoder_);
  build_stack(builder, decoder_);
  builder.head(head_, "lm_head", embedding_, c.tied_head);
}

void T5Model::build_stack(ModelBuilder& builder, T5Stack& stack) {
  const T5Config& c = config_;
  const bool decoder = stack.is_decoder;
  const std::int64_t inner = c.heads * c.head_size;
  const auto attention = [&](T5Attention& layer, std::int64_t i, T5Part part) {
    const std::string prefix = t5_part_name(decoder, i, part);
    builder.linear(layer.q, "q", {prefix + "q", inner, c.width});
    builder.linear(layer.k, "k", {prefix + "k", inner, c.width});
    builder.linear(layer.v, "v", {prefix + "v", inner, c.width});
    builder.linear(layer.o, "o", {prefix + "o", c.width, inner});
    if (i == 0 && part == T5Part::kSelfAttention) {
      stack.relative_bias = builder.parameter(
          prefix + "relative_attention_bias.weight", {c.buckets, c.heads});
    }
    layer.norm = builder.parameter(t5_norm_name(decoder, i, part), {c.width});
  };
  for (std::size_t b = 0; b < stack.blocks.size(); ++b) {
    T5Block& block = stack.blocks[b];
    const auto i = static_cast<std::int64_t>(b);
    builder.begin_layer(decoder ? c.encoder_layers + i : i);
    attention(block.self, i, T5Part::kSelfAttention);
    if (decoder) attention(block.cross, i, T5Part::kCrossAttention);
    T5FeedForward& layer = block.feed_forward;
    build_feed_forward(
        builder, layer, t5_part_name(decoder, i, T5Part::kFeedForward));
    layer.norm = builder.parameter(
        t5_norm_name(decoder, i, T5Part::kFeedForward), {c.width});
  }
  stack.final_norm = builder.parameter(
      decoder ? "decoder.final_layer_norm.weight"
              : "encoder.final_layer_norm.weight",
      {c.width});
}

void T5Model::build_feed_forward(
    ModelBuilder& builder, T5FeedForward& layer, const std::string& prefix) {
  const T5Config& c = config_;
  if (c.gated) {
    builder.linear(
        layer.gate, "gate", {prefix + "wi_0", c.feed_forward, c.width});
  }
  builder.linear(
      layer.up,
      "up",
      {prefix + (c.gated ? "wi_1" : "wi"), c.feed_forward, c.width});
  builder.linear(layer.down, "down", {prefix + "wo", c.width, c.feed_forward});
  layer.down.weight().set_storage(kernels::Storage::kFloat32);
}

at::Tensor T5Model::embed(
    const at::Tensor& ids, const RowSteering& steering) const {
  return steered_embedding(*embedding_, ids, steering);
}

at::Tensor T5Model::norm(
    const at::Tensor& x,
    const SteeredParameter& gain,
    const T5Pass& pass) const {
  return steered_rms_norm(x, gain, pass.steering, config_.norm_epsilon);
}

at::Tensor T5Model::by_head(const at::Tensor& x) const {
  return x.view({x.size(0), config_.heads, config_.head_size});
}

at::Tensor T5Model::self_attention(
    const at::Tensor& x,
    const T5Attention& attention,
    std::int64_t block,
    const T5Pass& pass) const {
  const at::Tensor q = by_head(attention.q.forward(x, pass.steering));
  const at::Tensor k = by_head(attention.k.forward(x, pass.steering));
  const at::Tensor v = by_head(attention.v.forward(x, pass.steering));
  return attention.o.forward(pass.attend(block, q, k, v), pass.steering);
}

at::Tensor T5Model::cross_attention(
    const at::Tensor& x,
    const T5Attention& attention,
    std::int64_t block,
    const T5Pass& pass) const {
  const at::Tensor q = by_head(attention.q.forward(x, pass.steering));
  return attention.o.forward(pass.cross(block, q), pass.steering);
}

at::Tensor T5Model::feed_forward(
    const at::Tensor& x, const T5FeedForward& layer, const T5Pass& pass) const {
  const at::Tensor up = layer.up.forward(x, pass.steering);
  if (config_.activation == T5Activation::kRelu) {
    at::Tensor inner = at::relu(up);
    if (config_.gated)
      inner = at::relu(layer.gate.forward(x, pass.steering)) * up;
    return layer.down.forward(inner, pass.steering);
  }
  // The kernels' bits depend on the row alone; ATen's exponentials do not.
  const auto unit = config_.activation == T5Activation::kGelu
                        ? kernels::GatedUnit::kGelu
                        : kernels::GatedUnit::kSwish;
  const at::Tensor inner =
      config_.gated
          ? kernels::gated(unit, layer.gate.forward(x, pass.steering), up)
          : kernels::gated(unit, up, at::ones_like(up));
  return layer.down.forward(inner, pass.steering);
}

at::Tensor T5Model::run_blocks(
    const T5Stack& stack,
    at::Tensor hidden,
    std::int64_t begin,
    std::int64_t end,
    const T5Pass& pass) const {
  for (std::int64_t i = begin; i < end; ++i) {
    const T5Block& block = stack.blocks[static_cast<std::size_t>(i)];
    const T5Attention& self = block.self;
    const T5Attention& cross = block.cross;
    const T5FeedForward& last = block.feed_forward;
    hidden =
        hidden + self_attention(norm(hidden, *self.norm, pass), self, i, pass);
    if (stack.is_decoder) {
      hidden = hidden +
               cross_attention(norm(hidden, *cross.norm, pass), cross, i, pass);
    }
    hidden = hidden + feed_forward(norm(hidden, *last.norm, pass), last, pass);
  }
  return hidden;
}

at::Tensor T5Model::finish_encoder(
    const at::Tensor& hidden, const RowSteering& steering) const {
  return steered_rms_norm(
      hidden, *encoder_.final_norm, steering, config_.norm_epsilon);
}

std::pair<at::Tensor, at::Tensor> T5Model::cross_keys_values(
    std::int64_t block,
    const at::Tensor& encoded,
    const RowSteering& steering) const {
  const T5Attention& cross =
      decoder_.blocks[static_cast<std::size_t>(block)].cross;
  return {
      by_head(cross.k.forward(encoded, steering)),
      by_head(cross.v.forward(encoded, steering))};
}

at::Tensor T5Model::distance_bias(
    const T5Stack& stack,
    std::int64_t n,
    std::int64_t sequences,
    const RowSteering& steering) const {
  const bool both_ways = !stack.is_decoder;
  const at::Tensor buckets = relative_buckets(
      1 - n,
      both_ways ? 2 * n - 1 : n,
      {config_.buckets, config_.max_distance, both_ways});
  return relative_bias(*stack.relative_bias, buckets, sequences, steering);
}

at::Tensor T5Model::final_states(
    const at::Tensor& hidden, const RowSteering& steering) const {
  const at::Tensor states = steered_rms_norm(
      hidden, *decoder_.final_norm, steering, config_.norm_epsilon);
  return config_.tied_head ? states * head_scale(config_) : states;
}

at::Tensor T5Model::head(
    const at::Tensor& hidden, const RowSteering& steering) const {
  return logits(final_states(hidden, steering), steering);
}

}  // namespace moft
