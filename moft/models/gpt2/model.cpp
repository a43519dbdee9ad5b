// GPT-2's layers.
#include "moft/models/gpt2/model.h"

#include <fmt/format.h>

#include "moft/conditioning/steered_rows.h"
#include "moft/models/activate.h"

namespace moft::gpt2 {

Gpt2Model::Gpt2Model(
    const Gpt2Config& config,
    const FindParameter& find,
    const LoadOptions& options)
    : CausalModel(options.device), config_(config) {
  ModelBuilder builder(steerable_, find, options);
  build(builder);
  shape_ = {config.layers, config.heads, config.width / config.heads};
  info_.family = "gpt2";
  info_.vocabulary = config.vocabulary;
  info_.context = config.context;
  info_.width = config.width;
  info_.parameters = builder.count();
}

void Gpt2Model::build(ModelBuilder& builder) {
  const Gpt2Config& c = config_;
  const std::string root = "transformer.";
  steerable_.layers = c.layers;
  steerable_.stacks = {c.layers};
  steerable_.first_steered_layer = c.layers;
  words_ = builder.parameter(root + "wte.weight", {c.vocabulary, c.width});
  positions_ = builder.parameter(root + "wpe.weight", {c.context, c.width});
  layers_.resize(static_cast<std::size_t>(c.layers));
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    const std::string name = fmt::format("{}h.{}.", root, i);
    const auto linear = [&](SteeredLinear& map,
                            const char* kind,
                            const std::string& module,
                            std::int64_t out,
                            std::int64_t in) {
      builder.linear(map, kind, {name + module, out, in, true});
    };
    builder.begin_layer(static_cast<std::int64_t>(i));
    layer.attention_norm = build_layer_norm(builder, name + "ln_1", c.width);
    linear(layer.qkv, "qkv", "attn.c_attn", 3 * c.width, c.width);
    linear(layer.o, "o", "attn.c_proj", c.width, c.width);
    layer.feed_forward_norm = build_layer_norm(builder, name + "ln_2", c.width);
    linear(layer.up, "up", "mlp.c_fc", c.inner, c.width);
    linear(layer.down, "down", "mlp.c_proj", c.width, c.inner);
  }
  final_norm_ = build_layer_norm(builder, root + "ln_f", c.width);
  words_->set_tied_head();
  builder.head(head_, "lm_head", words_, /*tied=*/true);
}

at::Tensor Gpt2Model::embed(
    const at::Tensor& ids, const RowSteering& steering) const {
  return steered_embedding(*words_, ids, steering);
}

at::Tensor Gpt2Model::run_layers(
    at::Tensor hidden,
    std::int64_t begin,
    std::int64_t end,
    const CausalPass& pass) const {
  const RowSteering& rows = pass.steering;
  const std::int64_t heads = config_.heads;
  const auto norm = [&](const at::Tensor& x, const SteeredLayerNorm& by) {
    return layer_norm_rows(x, by, config_.norm_epsilon, rows);
  };
  // embed() does not know the positions.
  if (begin == 0)
    hidden = hidden + steered_embedding(*positions_, pass.positions, rows);
  for (std::int64_t i = begin; i < end; ++i) {
    const Layer& layer = layers_[static_cast<std::size_t>(i)];
    const at::Tensor qkv =
        layer.qkv.forward(norm(hidden, layer.attention_norm), rows)
            .view({hidden.size(0), 3, heads, config_.width / heads});
    const at::Tensor mixed =
        pass.attend(i, qkv.select(1, 0), qkv.select(1, 1), qkv.select(1, 2));
    hidden = hidden + layer.o.forward(mixed, rows);
    const at::Tensor inner = activate(
        layer.up.forward(norm(hidden, layer.feed_forward_norm), rows),
        config_.activation);
    hidden = hidden + layer.down.forward(inner, rows);
  }
  return hidden;
}

at::Tensor Gpt2Model::final_states(
    const at::Tensor& hidden, const RowSteering& steering) const {
  return layer_norm_rows(hidden, final_norm_, config_.norm_epsilon, steering);
}

}  // namespace moft::gpt2
