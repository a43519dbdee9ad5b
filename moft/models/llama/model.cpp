// Forward pass of a Llama-shaped decoder.
#include "moft/models/llama/model.h"

#include <fmt/format.h>

#include "moft/conditioning/steered_rows.h"
#include "moft/kernels/layer_functions.h"
#include "moft/models/llama/rope_table.h"
#include "moft/models/steered_norm.h"

namespace moft {

LlamaModel::LlamaModel(
    LlamaConfig config, const FindParameter& find, const LoadOptions& options)
    : CausalModel(options.device), config_(std::move(config)) {
  ModelBuilder builder(steerable_, find, options);
  build(builder);
  build_rotary_table();
  shape_ = {config_.layers, config_.kv_heads, config_.head_size};
  if (config_.rope.scaling.kind == RopeKind::kDynamic) {
    context_note_ =
        " (dynamic rope scaling is computed inside the original context)";
  }
  info_.family = "llama";
  info_.vocabulary = config_.vocabulary;
  info_.context = config_.context;
  info_.width = config_.width;
  info_.end_tokens = config_.end_tokens;
  info_.parameters = builder.count();
}

void LlamaModel::build(ModelBuilder& builder) {
  const LlamaConfig& c = config_;
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

void LlamaModel::build_layer(
    ModelBuilder& builder, LlamaLayer& layer, const std::string& prefix) {
  const LlamaConfig& c = config_;
  const std::string attention = prefix + "self_attn.";
  const std::int64_t q_size = c.heads * c.head_size;
  const std::int64_t kv_size = c.kv_heads * c.head_size;
  const bool qkv = c.qkv_bias;
  layer.input_norm =
      builder.parameter(prefix + "input_layernorm.weight", {c.width});
  builder.linear(layer.q, "q", {attention + "q_proj", q_size, c.width, qkv});
  builder.linear(layer.k, "k", {attention + "k_proj", kv_size, c.width, qkv});
  builder.linear(layer.v, "v", {attention + "v_proj", kv_size, c.width, qkv});
  builder.linear(
      layer.o, "o", {attention + "o_proj", c.width, q_size, c.output_bias});
  if (c.query_key_norm) {
    layer.query_norm =
        builder.parameter(attention + "q_norm.weight", {c.head_size});
    layer.key_norm =
        builder.parameter(attention + "k_norm.weight", {c.head_size});
  }
  layer.post_norm =
      builder.parameter(prefix + "post_attention_layernorm.weight", {c.width});
  const std::string mlp = prefix + "mlp.";
  const bool bias = c.feed_forward_bias;
  builder.linear(
      layer.gate, "gate", {mlp + "gate_proj", c.feed_forward, c.width, bias});
  builder.linear(
      layer.up, "up", {mlp + "up_proj", c.feed_forward, c.width, bias});
  builder.linear(
      layer.down, "down", {mlp + "down_proj", c.width, c.feed_forward, bias});
}

void LlamaModel::build_rotary_table() {
  const RopeTable table =
      make_rope_table(config_.rope, config_.head_size, config_.context);
  cosines_ = table.cosines.to(device_);
  sines_ = table.sines.to(device_);
}

at::Tensor LlamaModel::embed(
    const at::Tensor& ids, const RowSteering& steering) const {
  return steered_embedding(*embedding_, ids, steering);
}

at::Tensor LlamaModel::norm(
    const at::Tensor& x,
    const SteeredParameter& gain,
    const CausalPass& pass) const {
  return steered_rms_norm(x, gain, pass.steering, config_.norm_epsilon);
}

at::Tensor LlamaModel::rotate(
    const at::Tensor& x, const CausalPass& pass) const {
  return kernels::rotary_layer(x, pass.positions, cosines_, sines_);
}

at::Tensor LlamaModel::attention(
    const at::Tensor& x, std::int64_t index, const CausalPass& pass) const {
  const LlamaLayer& layer = layers_[static_cast<std::size_t>(index)];
  const std::int64_t tokens = x.size(0);
  const std::int64_t size = config_.head_size;
  at::Tensor q =
      layer.q.forward(x, pass.steering).view({tokens, config_.heads, size});
  at::Tensor k =
      layer.k.forward(x, pass.steering).view({tokens, config_.kv_heads, size});
  const at::Tensor v =
      layer.v.forward(x, pass.steering).view({tokens, config_.kv_heads, size});
  if (config_.query_key_norm) {
    q = norm(q, *layer.query_norm, pass);
    k = norm(k, *layer.key_norm, pass);
  }
  q = rotate(q, pass);
  k = rotate(k, pass);
  return layer.o.forward(pass.attend(index, q, k, v), pass.steering);
}

at::Tensor LlamaModel::feed_forward(
    const at::Tensor& x,
    const LlamaLayer& layer,
    const CausalPass& pass) const {
  const at::Tensor gate = layer.gate.forward(x, pass.steering);
  const at::Tensor up = layer.up.forward(x, pass.steering);
  return layer.down.forward(
      kernels::gated_layer(kernels::GatedUnit::kSwish, gate, up),
      pass.steering);
}

at::Tensor LlamaModel::run_layers(
    at::Tensor hidden,
    std::int64_t begin,
    std::int64_t end,
    const CausalPass& pass) const {
  for (std::int64_t i = begin; i < end; ++i) {
    const LlamaLayer& layer = layers_[static_cast<std::size_t>(i)];
    hidden = hidden + attention(norm(hidden, *layer.input_norm, pass), i, pass);
    hidden = hidden +
             feed_forward(norm(hidden, *layer.post_norm, pass), layer, pass);
  }
  return hidden;
}

at::Tensor LlamaModel::final_states(
    const at::Tensor& hidden, const RowSteering& steering) const {
  return steered_rms_norm(hidden, *final_norm_, steering, config_.norm_epsilon);
}

}  // namespace moft
