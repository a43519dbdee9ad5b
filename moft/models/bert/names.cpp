#include "moft/models/bert/names.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "moft/core/errors.h"
#include "moft/models/model_tensors.h"

namespace moft::bert {
namespace {

bool is_ignorable(std::string_view name) {
  return name == "embeddings.position_ids" || name.starts_with("pooler.") ||
         name.starts_with("cls.") || name.starts_with("classifier.");
}

// Takes tensors out of a source by name and keeps count of what is left.
class Loader {
 public:
  explicit Loader(const TensorSource& source)
      : source_(source),
        prefix_(
            source.find("bert.embeddings.word_embeddings.weight") ? "bert."
                                                                  : "") {}

  at::Tensor take(const std::string& name, std::vector<std::int64_t> shape) {
    const std::string full = prefix_ + name;
    const auto view = source_.find(full);
    if (!view) {
      throw_caller_error(
          "{}: the tensor {} is missing", source_.describe(), full);
    }
    if (view->shape != shape) {
      throw_caller_error(
          "{}: the tensor {} has shape [{}]; config.json asks for [{}]",
          source_.describe(),
          full,
          fmt::join(view->shape, ", "),
          fmt::join(shape, ", "));
    }
    taken_.insert(full);
    check_finite(source_, *view);
    at::Tensor tensor = at::empty(shape, at::kFloat);
    to_float(
        *view,
        {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())});
    return tensor;
  }

  Linear linear(const std::string& name, std::int64_t out, std::int64_t in) {
    return {take(name + ".weight", {out, in}), take(name + ".bias", {out})};
  }

  LayerNorm norm(const std::string& name, std::int64_t width) {
    return {take(name + ".weight", {width}), take(name + ".bias", {width})};
  }

  void refuse_rest() const {
    std::vector<std::string> rest;
    for (const std::string& name : source_.names()) {
      std::string_view bare = name;
      if (bare.starts_with(prefix_)) bare.remove_prefix(prefix_.size());
      if (!taken_.contains(name) && !is_ignorable(bare)) rest.push_back(name);
    }
    if (rest.empty()) return;
    const std::size_t shown = std::min<std::size_t>(rest.size(), 5);
    throw_caller_error(
        "{}: holds {} tensors that config.json does not account for: {}{}",
        source_.describe(),
        rest.size(),
        fmt::join(rest.begin(), rest.begin() + shown, ", "),
        shown < rest.size() ? ", .." : "");
  }

 private:
  const TensorSource& source_;
  std::string prefix_;
  std::set<std::string> taken_;
};

Linear stack(const Linear& a, const Linear& b, const Linear& c) {
  return {
      at::cat({a.weight, b.weight, c.weight}),
      at::cat({a.bias, b.bias, c.bias})};
}

LayerWeights load_layer(
    Loader& loader, const std::string& name, const BertConfig& config) {
  const std::int64_t width = config.hidden_size;
  const std::int64_t inner = config.intermediate_size;
  const std::string attention = name + ".attention";
  LayerWeights layer;
  layer.qkv = stack(
      loader.linear(attention + ".self.query", width, width),
      loader.linear(attention + ".self.key", width, width),
      loader.linear(attention + ".self.value", width, width));
  layer.attention_output =
      loader.linear(attention + ".output.dense", width, width);
  layer.attention_norm = loader.norm(attention + ".output.LayerNorm", width);
  layer.up = loader.linear(name + ".intermediate.dense", inner, width);
  layer.down = loader.linear(name + ".output.dense", width, inner);
  layer.output_norm = loader.norm(name + ".output.LayerNorm", width);
  return layer;
}

}  // namespace

BertWeights load_weights(const TensorSource& source, const BertConfig& config) {
  Loader loader(source);
  const std::int64_t width = config.hidden_size;
  const std::string table = "embeddings.";
  BertWeights weights;
  weights.words =
      loader.take(table + "word_embeddings.weight", {config.vocab_size, width});
  weights.positions = loader.take(
      table + "position_embeddings.weight", {config.max_positions, width});
  weights.types = loader.take(
      table + "token_type_embeddings.weight", {config.type_vocab_size, width});
  weights.embedding_norm = loader.norm(table + "LayerNorm", width);
  for (std::int64_t i = 0; i < config.layers; ++i) {
    weights.layers.push_back(
        load_layer(loader, fmt::format("encoder.layer.{}", i), config));
  }
  loader.refuse_rest();
  return weights;
}

}  // namespace moft::bert
