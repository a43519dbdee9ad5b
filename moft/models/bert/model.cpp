// Loads a BERT encoder and computes its states.
#include "moft/models/bert/model.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "moft/conditioning/steered_rows.h"
#include "moft/core/errors.h"
#include "moft/models/model_tensors.h"

namespace moft::bert {
namespace {

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
  // The sums start at the bias, which saves a pass over the result.
  const Coefficients& c = steering.uniform_coefficients();
  return kernels::multiply(x, weight.packed(c).forward(), bias.value(c));
}

}  // namespace

BertModel::BertModel(
    const BertConfig& config,
    const FindParameter& find,
    const LoadOptions& options)
    : SequenceModel(options.device), config_(config) {
  ModelBuilder builder(steerable_, find, options);
  build(builder);
  info_.family = "bert";
  info_.vocabulary = config.vocab_size;
  info_.context = config.max_positions;
  info_.width = config.hidden_size;
  info_.parameters = builder.count();
}

void BertModel::build(ModelBuilder& builder) {
  const std::int64_t width = config_.hidden_size;
  const std::string table = "embeddings.";
  steerable_.layers = config_.layers;
  steerable_.stacks = {config_.layers};
  steerable_.first_steered_layer = config_.layers;
  words_ = builder.parameter(
      table + "word_embeddings.weight", {config_.vocab_size, width});
  positions_ = builder.parameter(
      table + "position_embeddings.weight", {config_.max_positions, width});
  types_ = builder.parameter(
      table + "token_type_embeddings.weight", {config_.type_vocab_size, width});
  embedding_norm_ = {
      builder.parameter(table + "LayerNorm.weight", {width}),
      builder.parameter(table + "LayerNorm.bias", {width})};
  layers_.resize(static_cast<std::size_t>(config_.layers));
  for (std::int64_t i = 0; i < config_.layers; ++i) {
    builder.begin_layer(i);
    build_layer(builder, layers_[static_cast<std::size_t>(i)], i);
  }
}

void BertModel::build_layer(
    ModelBuilder& builder, Layer& layer, std::int64_t index) {
  const std::int64_t width = config_.hidden_size;
  const std::int64_t inner = config_.intermediate_size;
  const std::string prefix = fmt::format("encoder.layer.{}.", index);
  const std::string attention = prefix + "attention.";
  const auto norm = [&](const std::string& name) {
    auto gain = builder.parameter(name + ".weight", {width});
    return Norm{std::move(gain), builder.parameter(name + ".bias", {width})};
  };
  builder.linear(layer.q, "q", {attention + "self.query", width, width, true});
  builder.linear(layer.k, "k", {attention + "self.key", width, width, true});
  builder.linear(layer.v, "v", {attention + "self.value", width, width, true});
  builder.linear(
      layer.o, "o", {attention + "output.dense", width, width, true});
  layer.attention_norm = norm(attention + "output.LayerNorm");
  builder.linear(
      layer.up, "up", {prefix + "intermediate.dense", inner, width, true});
  builder.linear(
      layer.down, "down", {prefix + "output.dense", width, inner, true});
  layer.output_norm = norm(prefix + "output.LayerNorm");
}

void BertModel::check(const std::vector<TokenIds>& texts) const {
  for (const TokenIds& text : texts) {
    const std::int64_t length = std::ssize(text);
    if (length < 1 || length > config_.max_positions) {
      throw_caller_error(
          "[bert] a text has {} tokens; the model takes 1 to {}",
          length,
          config_.max_positions);
    }
    check_vocabulary(text, config_.vocab_size);
  }
}

std::vector<BertModel::Group> BertModel::group(
    const std::vector<TokenIds>& texts) {
  std::vector<Group> groups;
  std::int64_t first = 0;
  for (const auto& text : texts) {
    const auto length = static_cast<std::int64_t>(text.size());
    if (!groups.empty() && groups.back().length == length) {
      ++groups.back().texts;
    } else {
      groups.push_back({first, 1, length});
    }
    first += length;
  }
  return groups;
}

at::Tensor BertModel::embed(
    const std::vector<std::int64_t>& ids,
    const std::vector<std::int64_t>& positions,
    const RowSteering& steering) const {
  const auto index = [&](const std::vector<std::int64_t>& values) {
    return at::tensor(values, at::kLong).to(device_);
  };
  const at::Tensor types =
      at::zeros({std::ssize(ids)}, at::device(device_).dtype(at::kLong));
  return steered_embedding(*words_, index(ids), steering) +
         (steered_embedding(*positions_, index(positions), steering) +
          steered_embedding(*types_, types, steering));
}

at::Tensor BertModel::norm(
    const at::Tensor& x, const Norm& norm, const RowSteering& steering) const {
  const at::Tensor gain = steered_gain(*norm.gain, steering);
  const at::Tensor bias = steered_gain(*norm.bias, steering);
  const double eps = config_.layer_norm_eps;
  if (gain.dim() == 1 && bias.dim() == 1) {
    return at::layer_norm(x, gain.sizes(), gain, bias, eps);
  }
  return at::layer_norm(x, {x.size(-1)}, {}, {}, eps) * gain + bias;
}

// qkv [N, 3 hidden] -> [N, hidden]; every text attends to itself alone.
at::Tensor BertModel::attend(
    const at::Tensor& qkv, const std::vector<Group>& groups) const {
  const std::int64_t width = config_.hidden_size;
  const std::int64_t head = width / config_.heads;
  at::Tensor out = at::empty({qkv.size(0), width}, qkv.options());
  for (const Group& group : groups) {
    const std::int64_t rows = group.texts * group.length;
    // [3, texts, heads, length, head]
    const at::Tensor parts =
        qkv.narrow(0, group.first, rows)
            .view({group.texts, group.length, 3, config_.heads, head})
            .permute({2, 0, 3, 1, 4});
    const at::Tensor mixed =
        at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
    out.narrow(0, group.first, rows)
        .view({group.texts, group.length, config_.heads, head})
        .copy_(mixed.transpose(1, 2));
  }
  return out;
}

// Overwrites x where nothing is differentiated.
at::Tensor BertModel::activate(at::Tensor x) const {
  const bool in_place = !at::GradMode::is_enabled();
  switch (config_.activation) {
    case Activation::kGeluTanh:
      return in_place ? at::gelu_(x, "tanh") : at::gelu(x, "tanh");
    case Activation::kRelu:
      return in_place ? x.relu_() : x.relu();
    case Activation::kGelu:
      break;
  }
  return in_place ? at::gelu_(x) : at::gelu(x);
}

at::Tensor BertModel::token_states(
    const std::vector<TokenIds>& texts, const RowSteering& steering) {
  check(texts);
  const std::vector<Group> groups = group(texts);
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> positions;
  std::vector<std::int64_t> text_of_token;
  for (std::size_t t = 0; t < texts.size(); ++t) {
    for (std::size_t i = 0; i < texts[t].size(); ++i) {
      ids.push_back(texts[t][i]);
      positions.push_back(static_cast<std::int64_t>(i));
      text_of_token.push_back(static_cast<std::int64_t>(t));
    }
  }
  const RowSteering rows =
      steering.select(at::tensor(text_of_token, at::kLong).to(device_));
  at::Tensor x = norm(embed(ids, positions, rows), embedding_norm_, rows);
  for (const Layer& layer : layers_) {
    const at::Tensor qkv = at::cat(
        {multiply(layer.q, x, rows),
         multiply(layer.k, x, rows),
         multiply(layer.v, x, rows)},
        1);
    const at::Tensor mixed = attend(qkv, groups);
    x = norm(multiply(layer.o, mixed, rows) + x, layer.attention_norm, rows);
    const at::Tensor inner = activate(multiply(layer.up, x, rows));
    x = norm(multiply(layer.down, inner, rows) + x, layer.output_norm, rows);
  }
  return x;
}

std::unique_ptr<BertModel> load_model(
    std::shared_ptr<const TensorSource> source,
    const BertConfig& config,
    at::Device device) {
  ModelTensors tensors(source, "", "embeddings.word_embeddings.weight");
  const FindParameter find = [&](const std::string& name,
                                 std::vector<std::int64_t> shape) {
    const TensorView view = tensors.find(name, shape);
    check_finite(*source, view);
    return tensors.rows_of(view);
  };
  LoadOptions options;
  options.device = device;
  auto model = std::make_unique<BertModel>(config, find, options);
  tensors.check_all_read(
      {""}, {"embeddings.position_ids", "pooler.", "cls.", "classifier."});
  return model;
}

}  // namespace moft::bert
