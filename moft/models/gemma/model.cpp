// Forward pass of a Gemma decoder.
#include "moft/models/gemma/model.h"

#include <cmath>

#include <fmt/format.h>

#include "moft/conditioning/steered_rows.h"
#include "moft/kernels/layer_functions.h"
#include "moft/models/steered_norm.h"

namespace moft {

GemmaModel::GemmaModel(
    GemmaConfig config, const FindParameter& find, const LoadOptions& options)
    : CausalModel(options.device), config_(std::move(config)) {
  const GemmaConfig& c = config_;
  ModelBuilder builder(steerable_, find, options);
  build(builder);
  const auto table = [&](const Rope& rope) {
    const RopeTable made = make_rope_table(rope, c.head_size, c.context);
    return RopeTable{made.cosines.to(device_), made.sines.to(device_)};
  };
  rope_ = table(c.rope);
  local_rope_ = table(c.local_rope);
  shape_ = {c.layers, c.kv_heads, c.head_size};
  info_.family = "gemma";
  info_.vocabulary = c.vocabulary;
  info_.context = c.context;
  info_.width = c.width;
  info_.end_tokens = c.end_tokens;
  info_.parameters = builder.count();
  if (c.ends_at_window) {
    context_note_ = " (its sliding window; moft computes full attention)";
  }
}

void GemmaModel::build(ModelBuilder& builder) {
  const GemmaConfig& c = config_;
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

void GemmaModel::build_layer(
    ModelBuilder& builder, GemmaLayer& layer, const std::string& prefix) {
  const GemmaConfig& c = config_;
  const std::string attention = prefix + "self_attn.";
  const std::string mlp = prefix + "mlp.";
  const std::int64_t q_size = c.heads * c.head_size;
  const std::int64_t kv_size = c.kv_heads * c.head_size;
  const bool bias = c.attention_bias;
  const auto norm = [&](const std::string& name, std::int64_t size) {
    return builder.parameter(name + ".weight", {size});
  };
  layer.input_norm = norm(prefix + "input_layernorm", c.width);
  builder.linear(layer.q, "q", {attention + "q_proj", q_size, c.width, bias});
  builder.linear(layer.k, "k", {attention + "k_proj", kv_size, c.width, bias});
  builder.linear(layer.v, "v", {attention + "v_proj", kv_size, c.width, bias});
  builder.linear(layer.o, "o", {attention + "o_proj", c.width, q_size, bias});
  if (c.query_key_norm) {
    layer.query_norm = norm(attention + "q_norm", c.head_size);
    layer.key_norm = norm(attention + "k_norm", c.head_size);
  }
  layer.attention_norm = norm(prefix + "post_attention_layernorm", c.width);
  layer.feed_forward_norm = norm(prefix + "pre_feedforward_layernorm", c.width);
  builder.linear(
      layer.gate, "gate", {mlp + "gate_proj", c.feed_forward, c.width});
  builder.linear(layer.up, "up", {mlp + "up_proj", c.feed_forward, c.width});
  builder.linear(
      layer.down, "down", {mlp + "down_proj", c.width, c.feed_forward});
  layer.output_norm = norm(prefix + "post_feedforward_layernorm", c.width);
}

at::Tensor GemmaModel::embed(
    const at::Tensor& ids, const RowSteering& steering) const {
  // The factor is a float32, as in the reference.
  const auto factor = std::sqrt(static_cast<float>(config_.width));
  return steered_embedding(*embedding_, ids, steering) * factor;
}

at::Tensor GemmaModel::norm(
    const at::Tensor& x,
    const SteeredParameter& weight,
    const RowSteering& steering) const {
  return rms_norm_rows(
      x, steered_gain(weight, steering) + 1.0, config_.norm_epsilon);
}

at::Tensor GemmaModel::attention(
    const at::Tensor& x, std::int64_t index, const CausalPass& pass) const {
  const GemmaConfig& c = config_;
  const GemmaLayer& layer = layers_[static_cast<std::size_t>(index)];
  const auto by_head = [&](const SteeredLinear& linear, std::int64_t heads) {
    return linear.forward(x, pass.steering)
        .view({x.size(0), heads, c.head_size});
  };
  at::Tensor q = by_head(layer.q, c.heads);
  at::Tensor k = by_head(layer.k, c.kv_heads);
  const at::Tensor v = by_head(layer.v, c.kv_heads);
  if (c.query_key_norm) {
    q = norm(q, *layer.query_norm, pass.steering);
    k = norm(k, *layer.key_norm, pass.steering);
  }
  const RopeTable& table = c.is_local(index) ? local_rope_ : rope_;
  q = kernels::rotary_layer(q, pass.positions, table.cosines, table.sines);
  k = kernels::rotary_layer(k, pass.positions, table.cosines, table.sines);
  // pass.attend divides scores by the root of the head size.
  const double ratio = static_cast<double>(c.head_size) / c.query_scale;
  if (ratio != 1.0) q = q * std::sqrt(ratio);
  return layer.o.forward(pass.attend(index, q, k, v), pass.steering);
}

at::Tensor GemmaModel::feed_forward(
    const at::Tensor& x,
    const GemmaLayer& layer,
    const RowSteering& steering) const {
  const at::Tensor gate = layer.gate.forward(x, steering);
  const at::Tensor up = layer.up.forward(x, steering);
  return layer.down.forward(
      kernels::gated_layer(kernels::GatedUnit::kGelu, gate, up), steering);
}

at::Tensor GemmaModel::run_layers(
    at::Tensor hidden,
    std::int64_t begin,
    std::int64_t end,
    const CausalPass& pass) const {
  const RowSteering& rows = pass.steering;
  for (std::int64_t i = begin; i < end; ++i) {
    const GemmaLayer& layer = layers_[static_cast<std::size_t>(i)];
    at::Tensor part = attention(norm(hidden, *layer.input_norm, rows), i, pass);
    hidden = hidden + norm(part, *layer.attention_norm, rows);
    part = norm(hidden, *layer.feed_forward_norm, rows);
    part = feed_forward(part, layer, rows);
    hidden = hidden + norm(part, *layer.output_norm, rows);
  }
  return hidden;
}

at::Tensor GemmaModel::final_states(
    const at::Tensor& hidden, const RowSteering& steering) const {
  return norm(hidden, *final_norm_, steering);
}

at::Tensor GemmaModel::logits(
    const at::Tensor& states, const RowSteering& steering) const {
  const at::Tensor raw = head_.forward(states, steering);
  const double cap = config_.logit_cap;
  if (cap == 0) return raw;
  // In double: the last bits of ATen's tanh depend on a number's place in
  // memory, and rounding to float32 removes them.
  return (at::tanh(raw.to(at::kDouble) / cap) * cap).to(raw.scalar_type());
}

}  // namespace moft
