// Tiny language models with random weights.
#include "verify/tiny_models.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "moft/core/errors.h"
#include "moft/core/random.h"
#include "moft/models/decoder_model.h"
#include "moft/models/t5/model.h"

namespace moft::exact {
namespace {

constexpr std::int64_t kHeads = 2;

// Deviation of a parameter's entries; 0: it is all ones.
double deviation_of(
    const std::string& name,
    const std::vector<std::int64_t>& shape,
    const TinyModelOptions& options) {
  if (shape.size() == 1) return 0.0;
  const double inputs = 1.0 / std::sqrt(static_cast<double>(shape[1]));
  if (name.find("embed") != std::string::npos || name == "shared.weight")
    return 1.0;
  if (name.find("relative_attention_bias") != std::string::npos) return 0.5;
  if (name.ends_with("Attention.q.weight")) {
    const std::int64_t head_size = options.width / kHeads;
    return inputs / std::sqrt(static_cast<double>(head_size));
  }
  return inputs;
}

FindParameter drawn(const TinyModelOptions& options) {
  const auto count = std::make_shared<std::uint32_t>(0);
  return [options, count](
             const std::string& name, std::vector<std::int64_t> shape) {
    const std::int64_t rows = shape.size() == 1 ? 1 : shape[0];
    const std::int64_t width = shape.back();
    const double deviation = deviation_of(name, shape, options);
    RandomStream stream(options.seed, Purpose::kInitialise, 1, (*count)++);
    const auto values = std::make_shared<std::vector<float>>();
    for (std::int64_t i = 0; i < rows * width; ++i) {
      values->push_back(
          deviation == 0.0 ? 1.0F
                           : static_cast<float>(deviation * stream.normal()));
    }
    return
        [values, width](std::int64_t begin, std::int64_t end, float* target) {
          std::copy(
              values->begin() + begin * width,
              values->begin() + end * width,
              target);
        };
  };
}

DecoderConfig llama_config(const TinyModelOptions& options) {
  DecoderConfig config;
  config.architecture = "llama";
  config.vocabulary = options.vocabulary;
  config.width = options.width;
  config.layers = options.layers;
  config.heads = kHeads;
  config.kv_heads = 1;
  config.head_size = options.width / kHeads;
  config.feed_forward = 2 * options.width;
  config.context = options.context;
  config.end_tokens = {options.end_token};
  return config;
}

T5Config t5_config(const TinyModelOptions& options) {
  T5Config config;
  config.vocabulary = options.vocabulary;
  config.width = options.width;
  config.encoder_layers = options.layers;
  config.decoder_layers = options.layers;
  config.heads = kHeads;
  config.head_size = options.width / kHeads;
  config.feed_forward = 2 * options.width;
  config.buckets = 8;
  config.max_distance = 20;
  config.activation = T5Activation::kGelu;
  config.gated = true;
  config.tied_head = false;
  config.start_token = options.end_token;
  config.end_tokens = {options.end_token};
  return config;
}

}  // namespace

std::string family_name(ModelFamily family) {
  return family == ModelFamily::kT5 ? "t5" : "llama";
}

LoadedModel make_tiny_model(const TinyModelOptions& options) {
  if (options.width < 8 || options.width % 4 != 0) {
    throw_caller_error(
        "tiny model: width is {}; give a multiple of 4 from 8 on",
        options.width);
  }
  LoadedModel loaded;
  if (options.family == ModelFamily::kT5) {
    loaded.model = std::make_unique<T5Model>(
        t5_config(options), drawn(options), LoadOptions());
  } else {
    loaded.model = std::make_unique<DecoderModel>(
        llama_config(options), drawn(options), LoadOptions());
  }
  return loaded;
}

}  // namespace moft::exact
