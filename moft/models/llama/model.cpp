#include "moft/models/llama/model.h"

#include <fmt/format.h>

#include "moft/conditioning/steered_rows.h"
#include "moft/core/errors.h"
#include "moft/kernels/layer_functions.h"
#include "moft/models/llama/rope_table.h"
#include "moft/models/steered_norm.h"

namespace moft {

LlamaModel::LlamaModel(
    LlamaConfig config,
    const LoadTensor& load,
    kernels::Storage storage,
    at::Device device)
    : config_(std::move(config)), device_(device) {
  build(load, storage);
  describe_steerable();
  build_rotary_table();
  info_.family = "llama";
  info_.vocabulary = config_.vocabulary;
  info_.context = config_.context;
  info_.end_tokens = config_.end_tokens;
  for (const auto& parameter : steerable_.parameters) {
    info_.parameters += parameter->numel();
  }
}

void LlamaModel::build(const LoadTensor& load, kernels::Storage storage) {
  const auto parameter = [&](const std::string& name,
                             std::vector<std::int64_t> shape) {
    auto read = load(name, shape);
    auto made = std::make_shared<SteeredParameter>(
        name, std::move(shape), device_, std::move(read));
    made->set_storage(storage);
    steerable_.parameters.push_back(made);
    return made;
  };
  const auto linear = [&](const std::string& name,
                          std::int64_t out,
                          std::int64_t in,
                          bool bias) {
    auto weight = parameter(name + ".weight", {out, in});
    return SteeredLinear(
        weight, bias ? parameter(name + ".bias", {out}) : nullptr);
  };
  const LlamaConfig& c = config_;
  embedding_ = parameter("model.embed_tokens.weight", {c.vocabulary, c.width});
  layers_.resize(static_cast<std::size_t>(c.layers));
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    LlamaLayer& layer = layers_[i];
    const std::string prefix = fmt::format("model.layers.{}.", i);
    const std::string attention = prefix + "self_attn.";
    const std::int64_t q_size = c.heads * c.head_size;
    const std::int64_t kv_size = c.kv_heads * c.head_size;
    layer.input_norm = parameter(prefix + "input_layernorm.weight", {c.width});
    layer.q = linear(attention + "q_proj", q_size, c.width, c.qkv_bias);
    layer.k = linear(attention + "k_proj", kv_size, c.width, c.qkv_bias);
    layer.v = linear(attention + "v_proj", kv_size, c.width, c.qkv_bias);
    layer.o = linear(attention + "o_proj", c.width, q_size, c.output_bias);
    if (c.query_key_norm) {
      layer.query_norm = parameter(attention + "q_norm.weight", {c.head_size});
      layer.key_norm = parameter(attention + "k_norm.weight", {c.head_size});
    }
    layer.post_norm =
        parameter(prefix + "post_attention_layernorm.weight", {c.width});
    const std::string mlp = prefix + "mlp.";
    const bool bias = c.feed_forward_bias;
    layer.gate = linear(mlp + "gate_proj", c.feed_forward, c.width, bias);
    layer.up = linear(mlp + "up_proj", c.feed_forward, c.width, bias);
    layer.down = linear(mlp + "down_proj", c.width, c.feed_forward, bias);
  }
  final_norm_ = parameter("model.norm.weight", {c.width});
  if (c.tied_head) embedding_->set_tied_head();
  head_ = c.tied_head ? SteeredLinear(embedding_)
                      : linear("lm_head", c.vocabulary, c.width, false);
}

void LlamaModel::describe_steerable() {
  steerable_.layers = config_.layers;
  steerable_.stacks = {config_.layers};
  steerable_.first_steered_layer = config_.layers;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    LlamaLayer& layer = layers_[i];
    const auto add = [&](const char* kind, SteeredLinear& linear) {
      std::string name = linear.weight().name();
      name.resize(name.size() - std::string_view(".weight").size());
      steerable_.linears.push_back(
          {std::move(name), kind, static_cast<std::int64_t>(i), &linear});
    };
    add("q", layer.q);
    add("k", layer.k);
    add("v", layer.v);
    add("o", layer.o);
    add("gate", layer.gate);
    add("up", layer.up);
    add("down", layer.down);
  }
  steerable_.linears.push_back({"lm_head", "head", config_.layers, &head_});
}

void LlamaModel::build_rotary_table() {
  const RopeTable table =
      make_rope_table(config_.rope, config_.head_size, config_.context);
  cosines_ = table.cosines.to(device_);
  sines_ = table.sines.to(device_);
}

void LlamaModel::check_tokens(
    const TokenIds& ids, std::int64_t total_length) const {
  check_vocabulary(ids, config_.vocabulary);
  if (total_length > config_.context) {
    throw_caller_error(
        "a prompt of {} tokens with its completion takes {} tokens, but the "
        "model's context is {}{}; shorten the prompt or ask for fewer new "
        "tokens",
        ids.size(),
        total_length,
        config_.context,
        config_.rope.scaling.kind == RopeKind::kDynamic
            ? " (dynamic rope scaling is computed inside the original context)"
            : "");
  }
}

at::Tensor LlamaModel::embed(
    const at::Tensor& ids, const RowSteering& steering) const {
  return steered_embedding(*embedding_, ids, steering);
}

at::Tensor LlamaModel::norm(
    const at::Tensor& x,
    const SteeredParameter& gain,
    const LlamaPass& pass) const {
  return steered_rms_norm(x, gain, pass.steering, config_.norm_epsilon);
}

at::Tensor LlamaModel::rotate(
    const at::Tensor& x, const LlamaPass& pass) const {
  return kernels::rotary_layer(x, pass.positions, cosines_, sines_);
}

at::Tensor LlamaModel::attention(
    const at::Tensor& x, std::int64_t index, const LlamaPass& pass) const {
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
    const at::Tensor& x, const LlamaLayer& layer, const LlamaPass& pass) const {
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
    const LlamaPass& pass) const {
  for (std::int64_t i = begin; i < end; ++i) {
    const LlamaLayer& layer = layers_[static_cast<std::size_t>(i)];
    hidden = hidden + attention(norm(hidden, *layer.input_norm, pass), i, pass);
    hidden = hidden +
             feed_forward(norm(hidden, *layer.post_norm, pass), layer, pass);
  }
  return hidden;
}

at::Tensor LlamaModel::head(
    const at::Tensor& hidden, const RowSteering& steering) const {
  LlamaPass pass;
  pass.steering = steering;
  return head_.forward(norm(hidden, *final_norm_, pass), steering);
}

}  // namespace moft
