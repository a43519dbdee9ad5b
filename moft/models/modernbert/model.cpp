// ModernBERT's states.
#include "moft/models/modernbert/model.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "moft/kernels/elementwise.h"
#include "moft/kernels/relative_attention.h"
#include "moft/kernels/tensors.h"
#include "moft/models/activate.h"

namespace moft::modernbert {

ModernBertModel::ModernBertModel(
    ModernBertConfig config,
    const FindParameter& find,
    const LoadOptions& options)
    : EncoderModel(options.device), config_(std::move(config)) {
  ModelBuilder builder(steerable_, find, options);
  build(builder);
  const auto table = [&](const Rope& rope) {
    const RopeTable made =
        make_rope_table(rope, config_.head_size(), config_.context);
    return RopeTable{made.cosines.to(device_), made.sines.to(device_)};
  };
  global_rope_ = table(config_.global_rope);
  local_rope_ = table(config_.local_rope);
  info_.family = "modernbert";
  info_.vocabulary = config_.vocabulary;
  info_.context = config_.context;
  info_.width = config_.width;
  info_.parameters = builder.count();
}

void ModernBertModel::build(ModelBuilder& builder) {
  const ModernBertConfig& c = config_;
  const std::string root = "model.";
  const auto layer_norm = [&](const std::string& name) {
    return build_layer_norm(builder, name, c.width, c.norm_bias);
  };
  steerable_.layers = std::ssize(c.local);
  steerable_.stacks = {steerable_.layers};
  steerable_.first_steered_layer = steerable_.layers;
  words_ = builder.parameter(
      root + "embeddings.tok_embeddings.weight", {c.vocabulary, c.width});
  embedding_norm_ = layer_norm(root + "embeddings.norm");
  layers_.resize(c.local.size());
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    const std::string name = fmt::format("{}layers.{}.", root, i);
    builder.begin_layer(static_cast<std::int64_t>(i));
    if (i > 0) layer.attention_norm = layer_norm(name + "attn_norm");
    builder.linear(
        layer.qkv,
        "qkv",
        {name + "attn.Wqkv", 3 * c.width, c.width, c.attention_bias});
    builder.linear(
        layer.attention_out,
        "o",
        {name + "attn.Wo", c.width, c.width, c.attention_bias});
    layer.mlp_norm = layer_norm(name + "mlp_norm");
    builder.linear(
        layer.in, "up", {name + "mlp.Wi", 2 * c.inner, c.width, c.mlp_bias});
    builder.linear(
        layer.out, "down", {name + "mlp.Wo", c.width, c.inner, c.mlp_bias});
  }
  final_norm_ = layer_norm(root + "final_norm");
}

at::Tensor ModernBertModel::norm(
    const at::Tensor& x,
    const SteeredLayerNorm& norm,
    const RowSteering& rows) const {
  return layer_norm_rows(x, norm, config_.norm_epsilon, rows);
}

at::Tensor ModernBertModel::attend(
    const at::Tensor& qkv,
    const PackedTexts& texts,
    const at::Tensor& positions,
    bool local) const {
  const std::int64_t head = config_.head_size();
  const RopeTable& rope = local ? local_rope_ : global_rope_;
  const at::Tensor parts = qkv.view({qkv.size(0), 3, config_.heads, head});
  const auto turned = [&](std::int64_t part) {
    return kernels::rotary(
        parts.select(1, part), positions, rope.cosines, rope.sines);
  };
  const at::Tensor q = turned(0);
  const at::Tensor k = turned(1);
  if (!local) {
    const at::Tensor all =
        at::cat({q.flatten(1), k.flatten(1), parts.select(1, 2).flatten(1)}, 1);
    return attend_by_group(
        all,
        texts,
        config_.heads,
        [](const at::Tensor& queries,
           const at::Tensor& keys,
           const at::Tensor& values) {
          return at::scaled_dot_product_attention(queries, keys, values);
        });
  }
  const std::int64_t longest = *std::ranges::max_element(texts.lengths);
  const at::Tensor distance = at::arange(
      1 - longest, longest, at::TensorOptions(at::kLong).device(device_));
  const at::Tensor window = at::zeros({2 * longest - 1}, q.options())
                                .masked_fill(
                                    distance.abs().gt(config_.reach),
                                    -std::numeric_limits<float>::infinity());
  return kernels::relative_attention(
             q,
             k,
             parts.select(1, 2),
             window.expand({1, config_.heads, 2 * longest - 1}).contiguous(),
             texts.lengths,
             1.0 / std::sqrt(static_cast<double>(head)))
      .flatten(1);
}

at::Tensor ModernBertModel::pair_states(
    const std::vector<TokenIds>& texts,
    const std::vector<std::int64_t>&,
    const RowSteering& steering) {
  const PackedTexts packed(texts, {}, info_);
  const RowSteering rows =
      steering.select(kernels::long_tensor(packed.text, device_));
  const at::Tensor positions = kernels::long_tensor(packed.positions, device_);
  const at::Tensor words = steered_embedding(
      *words_, kernels::long_tensor(packed.ids, device_), rows);
  at::Tensor x = norm(words, embedding_norm_, rows);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const at::Tensor entering =
        i == 0 ? x : norm(x, layer.attention_norm, rows);
    const at::Tensor mixed = attend(
        layer.qkv.forward(entering, rows), packed, positions, config_.local[i]);
    x = x + layer.attention_out.forward(mixed, rows);
    const auto halves =
        layer.in.forward(norm(x, layer.mlp_norm, rows), rows).chunk(2, 1);
    x = x + layer.out.forward(
                activate(halves[0], config_.activation) * halves[1], rows);
  }
  return norm(x, final_norm_, rows);
}

}  // namespace moft::modernbert
