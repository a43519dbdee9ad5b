#include "moft/models/t5/model.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/kernels/layer_functions.h"
#include "moft/models/steered_norm.h"
#include "moft/models/t5/names.h"
#include "moft/models/t5/relative.h"

namespace moft {
namespace {

// Relative positions never run out; this only keeps sums of lengths small.
constexpr std::int64_t kContext = std::numeric_limits<std::int32_t>::max();

double head_scale(const T5Config& config) {
  return 1.0 / std::sqrt(static_cast<double>(config.width));
}

std::string module_of(const SteeredLinear& linear) {
  std::string name = linear.weight().name();
  name.resize(name.size() - std::string_view(".weight").size());
  return name;
}

}  // namespace

T5Model::T5Model(
    T5Config config,
    const LoadTensor& load,
    kernels::Storage storage,
    at::Device device)
    : config_(std::move(config)), device_(device) {
  build(load, storage);
  describe_steerable();
  info_.family = "t5";
  info_.vocabulary = config_.vocabulary;
  info_.context = kContext;
  info_.end_tokens = config_.end_tokens;
  for (const auto& parameter : steerable_.parameters) {
    info_.parameters += parameter->numel();
  }
}

void T5Model::build(const LoadTensor& load, kernels::Storage storage) {
  const T5Config& c = config_;
  const MakeParameter parameter = [&](const std::string& name,
                                      std::vector<std::int64_t> shape) {
    auto read = load(name, shape);
    auto made = std::make_shared<SteeredParameter>(
        name, std::move(shape), device_, std::move(read));
    made->set_storage(storage);
    steerable_.parameters.push_back(made);
    return made;
  };
  embedding_ = parameter(kT5EmbeddingNames[0], {c.vocabulary, c.width});
  encoder_.blocks.resize(static_cast<std::size_t>(c.encoder_layers));
  decoder_.blocks.resize(static_cast<std::size_t>(c.decoder_layers));
  build_stack(encoder_, false, parameter);
  build_stack(decoder_, true, parameter);
  head_ = SteeredLinear(
      c.tied_head ? embedding_
                  : parameter("lm_head.weight", {c.vocabulary, c.width}));
}

void T5Model::build_stack(
    T5Stack& stack, bool decoder, const MakeParameter& parameter) {
  const T5Config& c = config_;
  const std::int64_t inner = c.heads * c.head_size;
  const auto linear =
      [&](const std::string& name, std::int64_t out, std::int64_t in) {
        return SteeredLinear(parameter(name + ".weight", {out, in}));
      };
  const auto attention = [&](T5Attention& layer, std::int64_t i, T5Part part) {
    const std::string prefix = t5_part_name(decoder, i, part);
    layer.q = linear(prefix + "q", inner, c.width);
    layer.k = linear(prefix + "k", inner, c.width);
    layer.v = linear(prefix + "v", inner, c.width);
    layer.o = linear(prefix + "o", c.width, inner);
    if (i == 0 && part == T5Part::kSelfAttention) {
      stack.relative_bias = parameter(
          prefix + "relative_attention_bias.weight", {c.buckets, c.heads});
    }
    layer.norm = parameter(t5_norm_name(decoder, i, part), {c.width});
  };
  for (std::size_t b = 0; b < stack.blocks.size(); ++b) {
    T5Block& block = stack.blocks[b];
    const auto i = static_cast<std::int64_t>(b);
    attention(block.self, i, T5Part::kSelfAttention);
    if (decoder) attention(block.cross, i, T5Part::kCrossAttention);
    T5FeedForward& layer = block.feed_forward;
    const std::string prefix = t5_part_name(decoder, i, T5Part::kFeedForward);
    if (c.gated) {
      layer.gate = linear(prefix + "wi_0", c.feed_forward, c.width);
      layer.up = linear(prefix + "wi_1", c.feed_forward, c.width);
    } else {
      layer.up = linear(prefix + "wi", c.feed_forward, c.width);
    }
    layer.down = linear(prefix + "wo", c.width, c.feed_forward);
    layer.down.weight().set_storage(kernels::Storage::kFloat32);
    layer.norm =
        parameter(t5_norm_name(decoder, i, T5Part::kFeedForward), {c.width});
  }
  stack.final_norm = parameter(
      decoder ? "decoder.final_layer_norm.weight"
              : "encoder.final_layer_norm.weight",
      {c.width});
}

void T5Model::describe_steerable() {
  steerable_.layers = config_.encoder_layers + config_.decoder_layers;
  steerable_.stacks = {config_.encoder_layers, config_.decoder_layers};
  if (config_.tied_head) steerable_.tied_head_scale = head_scale(config_);
  steerable_.first_steered_layer = steerable_.layers;
  std::int64_t number = 0;
  const auto add = [&](const char* kind, SteeredLinear& linear) {
    steerable_.linears.push_back({module_of(linear), kind, number, &linear});
  };
  const auto add_attention = [&](T5Attention& attention) {
    add("q", attention.q);
    add("k", attention.k);
    add("v", attention.v);
    add("o", attention.o);
  };
  for (T5Stack* stack : {&encoder_, &decoder_}) {
    for (T5Block& block : stack->blocks) {
      add_attention(block.self);
      if (stack == &decoder_) add_attention(block.cross);
      if (config_.gated) add("gate", block.feed_forward.gate);
      add("up", block.feed_forward.up);
      add("down", block.feed_forward.down);
      ++number;
    }
  }
  steerable_.linears.push_back({"lm_head", "head", number, &head_});
}

at::Tensor T5Model::embed(
    const at::Tensor& ids, const RowSteering& steering) const {
  return steered_embedding(*embedding_, ids, steering);
}

at::Tensor T5Model::norm(
    const at::Tensor& x,
    const SteeredParameter& gain,
    const T5Pass& pass) const {
  return steered_rms_norm(x, gain, pass.steering, config_.norm_epsilon);
}

at::Tensor T5Model::by_head(const at::Tensor& x) const {
  return x.view({x.size(0), config_.heads, config_.head_size});
}

at::Tensor T5Model::self_attention(
    const at::Tensor& x,
    const T5Attention& attention,
    std::int64_t block,
    const T5Pass& pass) const {
  const at::Tensor q = by_head(attention.q.forward(x, pass.steering));
  const at::Tensor k = by_head(attention.k.forward(x, pass.steering));
  const at::Tensor v = by_head(attention.v.forward(x, pass.steering));
  return attention.o.forward(pass.attend(block, q, k, v), pass.steering);
}

at::Tensor T5Model::cross_attention(
    const at::Tensor& x,
    const T5Attention& attention,
    std::int64_t block,
    const T5Pass& pass) const {
  const at::Tensor q = by_head(attention.q.forward(x, pass.steering));
  return attention.o.forward(pass.cross(block, q), pass.steering);
}

at::Tensor T5Model::feed_forward(
    const at::Tensor& x, const T5FeedForward& layer, const T5Pass& pass) const {
  const at::Tensor up = layer.up.forward(x, pass.steering);
  if (config_.activation == T5Activation::kRelu) {
    at::Tensor inner = at::relu(up);
    if (config_.gated)
      inner = at::relu(layer.gate.forward(x, pass.steering)) * up;
    return layer.down.forward(inner, pass.steering);
  }
  // The kernels' bits depend on the row alone; ATen's exponentials do not.
  const auto unit = config_.activation == T5Activation::kGelu
                        ? kernels::GatedUnit::kGelu
                        : kernels::GatedUnit::kSwish;
  const at::Tensor inner =
      config_.gated
          ? kernels::gated_layer(unit, layer.gate.forward(x, pass.steering), up)
          : kernels::gated_layer(unit, up, at::ones_like(up));
  return layer.down.forward(inner, pass.steering);
}

at::Tensor T5Model::run_encoder(
    at::Tensor hidden,
    std::int64_t begin,
    std::int64_t end,
    const T5Pass& pass) const {
  for (std::int64_t i = begin; i < end; ++i) {
    const T5Block& block = encoder_.blocks[static_cast<std::size_t>(i)];
    const T5Attention& self = block.self;
    const T5FeedForward& last = block.feed_forward;
    hidden =
        hidden + self_attention(norm(hidden, *self.norm, pass), self, i, pass);
    hidden = hidden + feed_forward(norm(hidden, *last.norm, pass), last, pass);
  }
  return hidden;
}

at::Tensor T5Model::run_decoder(
    at::Tensor hidden,
    std::int64_t begin,
    std::int64_t end,
    const T5Pass& pass) const {
  for (std::int64_t i = begin; i < end; ++i) {
    const T5Block& block = decoder_.blocks[static_cast<std::size_t>(i)];
    const T5Attention& self = block.self;
    const T5Attention& cross = block.cross;
    const T5FeedForward& last = block.feed_forward;
    hidden =
        hidden + self_attention(norm(hidden, *self.norm, pass), self, i, pass);
    hidden = hidden +
             cross_attention(norm(hidden, *cross.norm, pass), cross, i, pass);
    hidden = hidden + feed_forward(norm(hidden, *last.norm, pass), last, pass);
  }
  return hidden;
}

at::Tensor T5Model::finish_encoder(
    const at::Tensor& hidden, const RowSteering& steering) const {
  return steered_rms_norm(
      hidden, *encoder_.final_norm, steering, config_.norm_epsilon);
}

std::pair<at::Tensor, at::Tensor> T5Model::cross_keys_values(
    std::int64_t block,
    const at::Tensor& encoded,
    const RowSteering& steering) const {
  const T5Attention& cross =
      decoder_.blocks[static_cast<std::size_t>(block)].cross;
  return {
      by_head(cross.k.forward(encoded, steering)),
      by_head(cross.v.forward(encoded, steering))};
}

at::Tensor T5Model::encoder_bias(
    std::int64_t n, std::int64_t sequences, const RowSteering& steering) const {
  const RelativeBuckets rules{config_.buckets, config_.max_distance, true};
  const at::Tensor buckets = relative_buckets(1 - n, 2 * n - 1, rules);
  return relative_bias(*encoder_.relative_bias, buckets, sequences, steering);
}

at::Tensor T5Model::decoder_bias(
    std::int64_t n, std::int64_t sequences, const RowSteering& steering) const {
  const RelativeBuckets rules{config_.buckets, config_.max_distance, false};
  const at::Tensor buckets = relative_buckets(1 - n, n, rules);
  return relative_bias(*decoder_.relative_bias, buckets, sequences, steering);
}

at::Tensor T5Model::head(
    const at::Tensor& hidden, const RowSteering& steering) const {
  at::Tensor states = steered_rms_norm(
      hidden, *decoder_.final_norm, steering, config_.norm_epsilon);
  if (config_.tied_head) {
    states = states * head_scale(config_);
  }
  return head_.forward(states, steering);
}

}  // namespace moft
