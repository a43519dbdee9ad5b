#include "moft/models/bert/model.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"

namespace moft::bert {

BertModel::PackedLinear::PackedLinear(const Linear& linear, at::Device device)
    : weight(linear.weight.to(device)), bias(linear.bias.to(device)) {}

at::Tensor BertModel::PackedLinear::operator()(const at::Tensor& x) const {
  return kernels::multiply(x, weight, bias);
}

BertModel::Norm::Norm(const LayerNorm& norm, double epsilon, at::Device device)
    : gain(norm.gain.to(device)), bias(norm.bias.to(device)), eps(epsilon) {}

at::Tensor BertModel::Norm::operator()(const at::Tensor& x) const {
  return at::layer_norm(x, gain.sizes(), gain, bias, eps);
}

BertModel::BertModel(
    const BertConfig& config, const BertWeights& weights, at::Device device)
    : config_(config),
      words_(weights.words.to(device)),
      positions_((weights.positions + weights.types[0]).to(device)),
      embedding_norm_(weights.embedding_norm, config.layer_norm_eps, device) {
  const double eps = config.layer_norm_eps;
  for (const LayerWeights& layer : weights.layers) {
    layers_.push_back({
        {layer.qkv, device},
        {layer.attention_output, device},
        {layer.attention_norm, eps, device},
        {layer.up, device},
        {layer.down, device},
        {layer.output_norm, eps, device},
    });
  }
}

void BertModel::check(std::span<const std::vector<std::int32_t>> texts) const {
  for (const auto& text : texts) {
    const auto length = static_cast<std::int64_t>(text.size());
    if (length < 1 || length > config_.max_positions) {
      throw_caller_error(
          "[bert] a text has {} tokens; the model takes 1 to {}",
          length,
          config_.max_positions);
    }
    for (const std::int32_t id : text) {
      if (id < 0 || id >= config_.vocab_size) {
        throw_caller_error(
            "[bert] token id {} is outside the model's vocabulary of {}; use "
            "the tokenizer that came with the model",
            id,
            config_.vocab_size);
      }
    }
  }
}

std::vector<BertModel::Group> BertModel::group(
    std::span<const std::vector<std::int32_t>> texts) {
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
    std::span<const std::vector<std::int32_t>> texts) const {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> positions;
  for (const auto& text : texts) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      ids.push_back(text[i]);
      positions.push_back(static_cast<std::int64_t>(i));
    }
  }
  const auto index = [&](const std::vector<std::int64_t>& values) {
    return at::tensor(values, at::kLong).to(device());
  };
  return words_.index_select(0, index(ids))
      .add_(positions_.index_select(0, index(positions)));
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

at::Tensor BertModel::activate(at::Tensor x) const {
  switch (config_.activation) {
    case Activation::kGeluTanh:
      return at::gelu_(x, "tanh");
    case Activation::kRelu:
      return x.relu_();
    case Activation::kGelu:
      break;
  }
  return at::gelu_(x);
}

at::Tensor BertModel::hidden_states(
    std::span<const std::vector<std::int32_t>> texts) const {
  check(texts);
  const at::NoGradGuard no_gradient;
  const std::vector<Group> groups = group(texts);
  at::Tensor x = embedding_norm_(embed(texts));
  for (const Layer& layer : layers_) {
    const at::Tensor mixed = attend(layer.qkv(x), groups);
    x = layer.attention_norm(layer.attention_output(mixed).add_(x));
    const at::Tensor inner = activate(layer.up(x));
    x = layer.output_norm(layer.down(inner).add_(x));
  }
  return x;
}

}  // namespace moft::bert
