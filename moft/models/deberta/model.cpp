// DeBERTa's attention and convolution.
#include "moft/models/deberta/model.h"

#include <cmath>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/models/activate.h"

namespace moft::deberta {
namespace {

constexpr const char* kRoot = "deberta.";

bert::BertNames names() {
  return {
      .root = kRoot,
      .query = "attention.self.query_proj",
      .key = "attention.self.key_proj",
      .value = "attention.self.value_proj"};
}

// The tables of positions are common to a batch.
void check_uniform(const RowSteering& steering) {
  if (steering.is_uniform()) return;
  throw_caller_error(
      "[deberta-v2] texts of one batch are under several steerings; give one");
}

}  // namespace

// Float32 logarithms, as in transformers: a border moves by one distance
// otherwise.
at::Tensor position_rows(const DebertaConfig& c, std::int64_t length) {
  const at::Tensor distance =
      at::arange(1 - length, length, at::TensorOptions(at::kLong));
  at::Tensor bucket = distance;
  if (c.buckets > 0) {
    const std::int64_t middle = c.buckets / 2;
    const at::Tensor near =
        distance.lt(middle).logical_and(distance.gt(-middle));
    const at::Tensor away = at::where(
        near, at::scalar_tensor(middle - 1, at::kLong), distance.abs());
    const at::Tensor range = at::log(at::scalar_tensor(
        static_cast<double>(c.max_distance - 1) / static_cast<double>(middle),
        at::kFloat));
    const at::Tensor far =
        at::ceil(at::log(away.to(at::kFloat) / middle) / range * (middle - 1)) +
        middle;
    bucket = at::where(
                 away.le(middle),
                 distance.to(at::kFloat),
                 far * distance.sign().to(at::kFloat))
                 .to(at::kLong);
  }
  return (bucket + c.span).clamp(0, 2 * c.span - 1);
}

DebertaModel::DebertaModel(
    const DebertaConfig& config,
    const FindParameter& find,
    const LoadOptions& options)
    : BertModel(config.bert, find, options, names()), deberta_(config) {
  const DebertaConfig& c = config;
  const std::int64_t width = c.bert.hidden_size;
  const std::string encoder = std::string(kRoot) + "encoder.";
  ModelBuilder builder(steerable_, find, options);
  if (c.relative) {
    positions_ = builder.parameter(
        encoder + "rel_embeddings.weight", {2 * c.span, width});
    // A token's products with the table, those of its pairs after the softmax,
    // and what leads to these in the layer that is computed.
    const std::int64_t tables = c.score_terms() - 1;
    info_.scores_per_token = c.bert.layers * c.bert.heads * tables * 2 * c.span;
    info_.scores_per_pair = (c.bert.layers + 4) * c.bert.heads;
  }
  if (c.norm_positions)
    positions_norm_ = build_layer_norm(builder, encoder + "LayerNorm", width);
  const bool own = c.relative && !c.shared_projections;
  projections_.resize(own ? static_cast<std::size_t>(c.bert.layers) : 0);
  for (std::size_t i = 0; i < projections_.size(); ++i) {
    builder.begin_layer(static_cast<std::int64_t>(i));
    const std::string self =
        fmt::format("{}layer.{}.attention.self.", encoder, i);
    if (c.content_to_position)
      builder.linear(
          projections_[i].key,
          "k",
          {self + "pos_key_proj", width, width, true});
    if (c.position_to_content)
      builder.linear(
          projections_[i].query,
          "q",
          {self + "pos_query_proj", width, width, true});
  }
  if (c.convolution > 0) {
    const std::string name = encoder + "conv.conv";
    kernel_ = builder.parameter(
        name + ".weight", {width, width / c.convolution_groups, c.convolution});
    kernel_bias_ = builder.parameter(name + ".bias", {width});
    convolution_norm_ =
        build_layer_norm(builder, encoder + "conv.LayerNorm", width);
  }
  info_.parameters = builder.count();
}

at::Tensor DebertaModel::positions(const RowSteering& steering) const {
  const at::Tensor table = steered_gain(*positions_, steering);
  if (!deberta_.norm_positions) return table;
  return layer_norm_rows(
      table, positions_norm_, config().layer_norm_eps, steering);
}

at::Tensor DebertaModel::attend(
    const at::Tensor& qkv,
    const PackedTexts& texts,
    std::size_t index,
    const RowSteering& rows) const {
  check_uniform(rows);
  const std::int64_t heads = config().heads;
  const std::int64_t head = config().hidden_size / heads;
  const double scale =
      1.0 / std::sqrt(static_cast<double>(head * deberta_.score_terms()));
  at::Tensor keys;     // of positions, [heads, head, 2 span]
  at::Tensor queries;  // the same
  if (deberta_.relative) {
    const at::Tensor table = positions(rows);
    const auto project = [&](const SteeredLinear& own,
                             const SteeredLinear& shared) {
      const SteeredLinear& linear = deberta_.shared_projections ? shared : own;
      return bert::multiply(linear, table, rows)
          .view({table.size(0), heads, head})
          .permute({1, 2, 0});
    };
    const Projections none;
    const Projections& own = projections_.empty() ? none : projections_[index];
    if (deberta_.content_to_position) keys = project(own.key, layer(index).k);
    if (deberta_.position_to_content)
      queries = project(own.query, layer(index).q);
  }
  return attend_by_group(
      qkv,
      texts,
      heads,
      [&](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
        const std::int64_t length = q.size(2);
        const auto places = at::TensorOptions(at::kLong).device(device_);
        const at::Tensor all = at::arange(length, places);
        // [length, length], of (i, j): the row of i - j.
        const at::Tensor row =
            position_rows(deberta_, length)
                .to(device_)
                .take((all.unsqueeze(1) - all.unsqueeze(0)) + (length - 1));
        const std::vector<std::int64_t> shape = {
            q.size(0), heads, length, length};
        at::Tensor bias;
        if (keys.defined())
          bias = at::matmul(q, keys).gather(3, row.expand(shape));
        if (queries.defined()) {
          const at::Tensor of_keys =
              at::matmul(k, queries).gather(3, row.t().expand(shape));
          const at::Tensor term = of_keys.transpose(2, 3);
          bias = bias.defined() ? bias + term : term;
        }
        std::optional<at::Tensor> mask;
        if (bias.defined()) mask = (bias * scale).contiguous();
        return at::scaled_dot_product_attention(
            q, k, v, mask, 0.0, /*is_causal=*/false, scale);
      });
}

at::Tensor DebertaModel::after_layer(
    at::Tensor x,
    const at::Tensor& embedded,
    const PackedTexts& texts,
    std::size_t index,
    const RowSteering& rows) const {
  if (index != 0 || kernel_ == nullptr) return x;
  check_uniform(rows);
  const std::int64_t width = config().hidden_size;
  std::vector<at::Tensor> seen;
  for (const TextGroup& group : texts.groups) {
    const at::Tensor text =
        embedded.narrow(0, group.first, group.texts * group.length)
            .view({group.texts, group.length, width})
            .transpose(1, 2);
    seen.push_back(at::conv1d(
                       text,
                       steered_gain(*kernel_, rows),
                       steered_gain(*kernel_bias_, rows),
                       /*stride=*/1,
                       /*padding=*/deberta_.convolution / 2,
                       /*dilation=*/1,
                       deberta_.convolution_groups)
                       .transpose(1, 2)
                       .reshape({-1, width}));
  }
  const at::Tensor added =
      activate(at::cat(seen), deberta_.convolution_activation);
  return layer_norm_rows(
      x + added, convolution_norm_, config().layer_norm_eps, rows);
}

}  // namespace moft::deberta
