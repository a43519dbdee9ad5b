// Loads a BERT encoder and computes its states.
#include "moft/models/bert/model.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "moft/conditioning/steered_rows.h"
#include "moft/kernels/tensors.h"
#include "moft/models/activate.h"
#include "moft/models/bert/family.h"
#include "moft/models/encoders.h"

namespace moft::bert {

at::Tensor multiply(
    const SteeredLinear& linear,
    const at::Tensor& x,
    const RowSteering& steering) {
  const SteeredParameter& weight = linear.weight();
  const SteeredParameter& bias = *linear.bias();
  const bool alike = linear.adapters() == nullptr &&
                     !differs_by_row(weight, steering) &&
                     !differs_by_row(bias, steering);
  if (at::GradMode::is_enabled() || !alike) return linear.forward(x, steering);
  const Coefficients& c = steering.uniform_coefficients();
  return kernels::multiply(x, weight.packed(c).forward(), bias.value(c));
}

BertModel::BertModel(
    const BertConfig& config,
    const FindParameter& find,
    const LoadOptions& options,
    const BertNames& names)
    : EncoderModel(options.device), config_(config) {
  ModelBuilder builder(steerable_, find, options);
  build(builder, names);
  info_.family = config.family;
  info_.vocabulary = config.vocab_size;
  info_.context = config.context();
  info_.width = config.hidden_size;
  info_.parameters = builder.count();
}

void BertModel::build(ModelBuilder& builder, const BertNames& names) {
  const std::int64_t width = config_.hidden_size;
  const std::string table = names.root + "embeddings.";
  steerable_.layers = config_.layers;
  steerable_.stacks = {config_.layers};
  steerable_.first_steered_layer = config_.layers;
  words_ = builder.parameter(
      table + "word_embeddings.weight", {config_.vocab_size, width});
  if (config_.position_table) {
    positions_ = builder.parameter(
        table + "position_embeddings.weight", {config_.max_positions, width});
  }
  if (config_.type_vocab_size > 0) {
    types_ = builder.parameter(
        table + "token_type_embeddings.weight",
        {config_.type_vocab_size, width});
  }
  embedding_norm_ = build_layer_norm(builder, table + "LayerNorm", width);
  layers_.resize(static_cast<std::size_t>(config_.layers));
  for (std::int64_t i = 0; i < config_.layers; ++i) {
    builder.begin_layer(i);
    build_layer(builder, layers_[static_cast<std::size_t>(i)], i, names);
  }
}

void BertModel::build_layer(
    ModelBuilder& builder,
    Layer& layer,
    std::int64_t index,
    const BertNames& names) {
  const std::int64_t width = config_.hidden_size;
  const std::int64_t inner = config_.intermediate_size;
  const std::string prefix =
      fmt::format("{}encoder.layer.{}.", names.root, index);
  const auto square =
      [&](SteeredLinear& linear, const char* kind, const std::string& name) {
        builder.linear(linear, kind, {prefix + name, width, width, true});
      };
  square(layer.q, "q", names.query);
  square(layer.k, "k", names.key);
  square(layer.v, "v", names.value);
  square(layer.o, "o", names.output);
  layer.attention_norm =
      build_layer_norm(builder, prefix + names.attention_norm, width);
  builder.linear(
      layer.up, "up", {prefix + "intermediate.dense", inner, width, true});
  builder.linear(
      layer.down, "down", {prefix + "output.dense", width, inner, true});
  layer.output_norm =
      build_layer_norm(builder, prefix + "output.LayerNorm", width);
}

at::Tensor BertModel::embed(
    const PackedTexts& texts, const RowSteering& rows) const {
  const auto look_up = [&](const SteeredParameter& table,
                           const std::vector<std::int64_t>& index) {
    return steered_embedding(table, kernels::long_tensor(index, device_), rows);
  };
  at::Tensor places;  // position and segment
  if (positions_ != nullptr) {
    std::vector<std::int64_t> positions = texts.positions;
    for (std::int64_t& position : positions)
      position += config_.first_position;
    places = look_up(*positions_, positions);
  }
  if (types_ != nullptr) {
    const std::vector<std::int64_t> first(texts.ids.size(), 0);
    const at::Tensor segments =
        look_up(*types_, config_.type_vocab_size > 1 ? texts.segments : first);
    places = places.defined() ? places + segments : segments;
  }
  const at::Tensor words = look_up(*words_, texts.ids);
  return places.defined() ? words + places : words;
}

at::Tensor BertModel::attend(
    const at::Tensor& qkv,
    const PackedTexts& texts,
    std::size_t,
    const RowSteering&) const {
  return attend_by_group(
      qkv,
      texts,
      config_.heads,
      [](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
        return at::scaled_dot_product_attention(q, k, v);
      });
}

at::Tensor BertModel::after_layer(
    at::Tensor x,
    const at::Tensor&,
    const PackedTexts&,
    std::size_t,
    const RowSteering&) const {
  return x;
}

at::Tensor BertModel::pair_states(
    const std::vector<TokenIds>& texts,
    const std::vector<std::int64_t>& second,
    const RowSteering& steering) {
  const PackedTexts packed(texts, second, info_);
  const RowSteering rows =
      steering.select(kernels::long_tensor(packed.text, device_));
  const auto norm = [&](const at::Tensor& y, const SteeredLayerNorm& by) {
    return layer_norm_rows(y, by, config_.layer_norm_eps, rows);
  };
  const at::Tensor embedded = norm(embed(packed, rows), embedding_norm_);
  at::Tensor x = embedded;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const at::Tensor qkv = at::cat(
        {multiply(layer.q, x, rows),
         multiply(layer.k, x, rows),
         multiply(layer.v, x, rows)},
        1);
    const at::Tensor mixed = attend(qkv, packed, i, rows);
    x = norm(multiply(layer.o, mixed, rows) + x, layer.attention_norm);
    const at::Tensor inner =
        activate(multiply(layer.up, x, rows), config_.activation);
    x = norm(multiply(layer.down, inner, rows) + x, layer.output_norm);
    x = after_layer(std::move(x), embedded, packed, i, rows);
  }
  return x;
}

std::unique_ptr<BertModel> load_model(
    std::shared_ptr<const TensorSource> source,
    const BertConfig& config,
    at::Device device) {
  std::unique_ptr<BertModel> model;
  load_encoder_tensors(
      bert_family(), std::move(source), [&](const FindParameter& find, auto&) {
        model = std::make_unique<BertModel>(
            config, find, LoadOptions{.device = device});
      });
  return model;
}

}  // namespace moft::bert
