// Forward pass of a decoder of Llama's or Gemma's kind.
#include "moft/models/decoder_model.h"

#include <cmath>

#include <fmt/format.h>

#include "moft/conditioning/steered_rows.h"
#include "moft/kernels/elementwise.h"
#include "moft/models/steered_norm.h"

namespace moft {

DecoderModel::DecoderModel(
    DecoderConfig config, const FindParameter& find, const LoadOptions& options)
    : CausalModel(options.device), config_(std::move(config)) {
  const DecoderConfig& c = config_;
  ModelBuilder builder(steerable_, find, options);
  build(builder);
  const auto table = [&](const Rope& rope) {
    const RopeTable made = make_rope_table(rope, c.head_size, c.context);
    return RopeTable{made.cosines.to(device_), made.sines.to(device_)};
  };
  rope_ = table(c.rope);
  for (std::int64_t i = 0; i < c.layers; ++i) {
    if (!c.is_local(i)) continue;
    local_rope_ = table(c.local_rope);
    break;
  }
  shape_ = {c.layers, c.kv_heads, c.head_size};
  context_note_ = c.context_note;
  info_.family = c.family;
  info_.vocabulary = c.vocabulary;
  info_.context = c.context;
  info_.width = c.width;
  info_.end_tokens = c.end_tokens;
  info_.parameters = builder.count();
}

void DecoderModel::build(ModelBuilder& builder) {
  const DecoderConfig& c = config_;
  steerable_.layers = c.layers;
  steerable_.stacks = {c.layers};
  steerable_.first_steered_layer = c.layers;
  embedding_ =
      builder.parameter("model.embed_tokens.weight", {c.vocabulary, c.width});
  layers_.resize(static_cast<std::size_t>(c.layers));
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    builder.begin_layer(static_cast<std::int64_t>(i));
    build_layer(builder, layers_[i], fmt::format("model.layers.{}.", i));
  }
  final_norm_ = builder.parameter("model.norm.weight", {c.width});
  if (c.tied_head) embedding_->set_tied_head();
  builder.head(head_, "lm_head", embedding_, c.tied_head);
}

void DecoderModel::build_layer(
    ModelBuilder& builder, Layer& layer, const std::string& prefix) {
  const DecoderConfig& c = config_;
  const std::string attention = prefix + "self_attn.";
  const std::string mlp = prefix + "mlp.";
  const std::int64_t q_size = c.heads * c.head_size;
  const std::int64_t kv_size = c.kv_heads * c.head_size;
  const bool qkv = c.qkv_bias;
  const bool bias = c.feed_forward_bias;
  const auto norm = [&](const std::string& name, std::int64_t size) {
    return builder.parameter(name + ".weight", {size});
  };
  layer.attention_norm = norm(prefix + "input_layernorm", c.width);
  builder.linear(layer.q, "q", {attention + "q_proj", q_size, c.width, qkv});
  builder.linear(layer.k, "k", {attention + "k_proj", kv_size, c.width, qkv});
  builder.linear(layer.v, "v", {attention + "v_proj", kv_size, c.width, qkv});
  builder.linear(
      layer.o, "o", {attention + "o_proj", c.width, q_size, c.output_bias});
  if (c.query_key_norm) {
    layer.query_norm = norm(attention + "q_norm", c.head_size);
    layer.key_norm = norm(attention + "k_norm", c.head_size);
  }
  // Without norms of parts this name means the one before the gated unit.
  Gain after_attention = norm(prefix + "post_attention_layernorm", c.width);
  if (c.part_norms) {
    layer.attention_part_norm = std::move(after_attention);
    layer.feed_forward_norm =
        norm(prefix + "pre_feedforward_layernorm", c.width);
  } else {
    layer.feed_forward_norm = std::move(after_attention);
  }
  builder.linear(
      layer.gate, "gate", {mlp + "gate_proj", c.feed_forward, c.width, bias});
  builder.linear(
      layer.up, "up", {mlp + "up_proj", c.feed_forward, c.width, bias});
  builder.linear(
      layer.down, "down", {mlp + "down_proj", c.width, c.feed_forward, bias});
  if (c.part_norms) {
    layer.feed_forward_part_norm =
        norm(prefix + "post_feedforward_layernorm", c.width);
  }
}

at::Tensor DecoderModel::embed(
    const at::Tensor& ids, const RowSteering& steering) const {
  const at::Tensor rows = steered_embedding(*embedding_, ids, steering);
  if (!config_.scaled_input) return rows;
  // The factor is a float32, as in the reference.
  return rows * std::sqrt(static_cast<float>(config_.width));
}

at::Tensor DecoderModel::norm(
    const at::Tensor& x, const Gain& gain, const RowSteering& steering) const {
  if (gain == nullptr) return x;
  at::Tensor factor = steered_gain(*gain, steering);
  if (config_.norm_offset != 0) factor = factor + config_.norm_offset;
  return rms_norm_rows(x, factor, config_.norm_epsilon);
}

at::Tensor DecoderModel::attention(
    const at::Tensor& x, std::int64_t index, const CausalPass& pass) const {
  const DecoderConfig& c = config_;
  const Layer& layer = layers_[static_cast<std::size_t>(index)];
  const auto by_head = [&](const SteeredLinear& linear, std::int64_t heads) {
    return linear.forward(x, pass.steering)
        .view({x.size(0), heads, c.head_size});
  };
  at::Tensor q = by_head(layer.q, c.heads);
  at::Tensor k = by_head(layer.k, c.kv_heads);
  const at::Tensor v = by_head(layer.v, c.kv_heads);
  q = norm(q, layer.query_norm, pass.steering);
  k = norm(k, layer.key_norm, pass.steering);
  const RopeTable& table = c.is_local(index) ? local_rope_ : rope_;
  q = kernels::rotary(q, pass.positions, table.cosines, table.sines);
  k = kernels::rotary(k, pass.positions, table.cosines, table.sines);
  // pass.attend divides scores by the root of the head size.
  const double ratio = c.query_scale == 0
                           ? 1.0
                           : static_cast<double>(c.head_size) / c.query_scale;
  if (ratio != 1.0) q = q * std::sqrt(ratio);
  return layer.o.forward(pass.attend(index, q, k, v), pass.steering);
}

at::Tensor DecoderModel::feed_forward(
    const at::Tensor& x,
    const Layer& layer,
    const RowSteering& steering) const {
  const at::Tensor gate = layer.gate.forward(x, steering);
  const at::Tensor up = layer.up.forward(x, steering);
  const auto unit =
      config_.gelu ? kernels::GatedUnit::kGelu : kernels::GatedUnit::kSwish;
  return layer.down.forward(kernels::gated(unit, gate, up), steering);
}

at::Tensor DecoderModel::run_layers(
    at::Tensor hidden,
    std::int64_t begin,
    std::int64_t end,
    const CausalPass& pass) const {
  const RowSteering& rows = pass.steering;
  for (std::int64_t i = begin; i < end; ++i) {
    const Layer& layer = layers_[static_cast<std::size_t>(i)];
    at::Tensor part =
        attention(norm(hidden, layer.attention_norm, rows), i, pass);
    hidden = hidden + norm(part, layer.attention_part_norm, rows);
    part =
        feed_forward(norm(hidden, layer.feed_forward_norm, rows), layer, rows);
    hidden = hidden + norm(part, layer.feed_forward_part_norm, rows);
  }
  return hidden;
}

at::Tensor DecoderModel::final_states(
    const at::Tensor& hidden, const RowSteering& steering) const {
  return norm(hidden, final_norm_, steering);
}

at::Tensor DecoderModel::logits(
    const at::Tensor& states, const RowSteering& steering) const {
  const at::Tensor raw = head_.forward(states, steering);
  const double cap = config_.logit_cap;
  if (cap == 0) return raw;
  // In double: the last bits of ATen's tanh depend on a number's place in
  // memory, and rounding to float32 removes them.
  return (at::tanh(raw.to(at::kDouble) / cap) * cap).to(raw.scalar_type());
}

}  // namespace moft
