#include "moft/models/random/initialise.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "moft/core/errors.h"
#include "moft/core/random.h"
#include "moft/models/llama/model.h"
#include "moft/models/t5/model.h"

namespace moft {
namespace {

using nlohmann::json;

constexpr const char* kPlace = "model.random";
// Tensors count from here, so that adapters and value heads, which have small
// numbers, never share a stream with the model under them.
constexpr std::uint32_t kFirstTensor = std::uint32_t{1} << 31;

std::int64_t rounded_up(std::int64_t count) {
  constexpr std::int64_t kMultiple = 128;
  return (count + kMultiple - 1) / kMultiple * kMultiple;
}

std::string feed_forward_name(const RandomModelOptions& options) {
  if (options.gated) return "gated-" + enum_name(options.activation);
  // Plain "gelu" would be another function.
  return options.activation == RandomActivation::kGelu
             ? "gelu_new"
             : enum_name(options.activation);
}

json t5_config(
    const RandomModelOptions& options,
    const RandomModelTokens& tokens,
    std::int64_t vocabulary,
    std::int64_t head_size) {
  if (tokens.padding < 0) {
    throw_caller_error(
        "{}.tokenizer has no <pad>, which t5's decoder starts with; give a T5 "
        "tokenizer",
        kPlace);
  }
  return {
      {"architectures", {"T5ForConditionalGeneration"}},
      {"model_type", "t5"},
      {"is_encoder_decoder", true},
      {"vocab_size", vocabulary},
      {"d_model", options.width},
      {"d_kv", head_size},
      {"d_ff", options.feed_forward},
      {"num_layers", options.layers},
      {"num_decoder_layers", options.decoder_layers.value_or(options.layers)},
      {"num_heads", options.heads},
      {"relative_attention_num_buckets", 32},
      {"relative_attention_max_distance", 128},
      {"dropout_rate", 0.0},
      {"layer_norm_epsilon", 1e-6},
      {"initializer_factor", 1.0},
      {"feed_forward_proj", feed_forward_name(options)},
      {"tie_word_embeddings", options.tied_head},
      {"use_cache", true},
      {"decoder_start_token_id", tokens.padding},
      {"pad_token_id", tokens.padding},
      {"eos_token_id", tokens.end}};
}

json llama_config(
    const RandomModelOptions& options,
    const RandomModelTokens& tokens,
    std::int64_t vocabulary,
    std::int64_t head_size) {
  LlamaConfig config;
  config.architecture = "llama";
  config.vocabulary = vocabulary;
  config.width = options.width;
  config.layers = options.layers;
  config.heads = options.heads;
  config.kv_heads = options.key_value_heads.value_or(options.heads);
  config.head_size = head_size;
  config.feed_forward = options.feed_forward;
  config.context = options.context;
  config.tied_head = options.tied_head;
  config.end_tokens = {tokens.end};
  json made = llama_config_to_json(config);
  made["initializer_range"] = 0.02;
  if (tokens.beginning >= 0) made["bos_token_id"] = tokens.beginning;
  return made;
}

bool is_t5(const json& config) {
  return config.value("model_type", json()) == "t5";
}

// Rows of a parameter, drawn when they are asked for.
kernels::ReadRows random_rows(
    std::uint64_t seed,
    std::uint32_t tensor,
    const InitialSpread& spread,
    const std::vector<std::int64_t>& shape) {
  const std::int64_t width = shape.back();
  return [=](std::int64_t begin, std::int64_t end, float* target) {
    for (std::int64_t row = begin; row < end; ++row) {
      float* values = target + (row - begin) * width;
      if (spread.deviation == 0.0) {
        std::fill_n(values, width, static_cast<float>(spread.constant));
        continue;
      }
      RandomStream stream(
          seed, Purpose::kInitialise, tensor, static_cast<std::uint32_t>(row));
      for (std::int64_t i = 0; i < width; ++i)
        values[i] = static_cast<float>(spread.deviation * stream.normal());
    }
  };
}

InitialSpread t5_spread(const T5Config& c, const std::string& name) {
  const auto inverse_root = [](std::int64_t size) {
    return 1.0 / std::sqrt(static_cast<double>(size));
  };
  const auto is = [&](const char* ending) { return name.ends_with(ending); };
  if (is("layer_norm.weight")) return {0.0, 1.0};
  if (is(".q.weight")) return {inverse_root(c.width * c.head_size), 0.0};
  if (is(".o.weight")) return {inverse_root(c.heads * c.head_size), 0.0};
  if (is(".wo.weight")) return {inverse_root(c.feed_forward), 0.0};
  const bool inner = is(".k.weight") || is(".v.weight") || is(".wi.weight") ||
                     is(".wi_0.weight") || is(".wi_1.weight") ||
                     is(".relative_attention_bias.weight");
  if (inner) return {inverse_root(c.width), 0.0};
  return {1.0, 0.0};  // the embedding and an untied head
}

InitialSpread llama_spread(const std::string& name) {
  if (name.find("norm.") != std::string::npos) return {0.0, 1.0};
  if (name.ends_with(".bias")) return {0.0, 0.0};
  return {0.02, 0.0};
}

}  // namespace

void RandomModelOptions::check(const std::string& path) const {
  if (!head_size && width % heads != 0) {
    throw_caller_error(
        "{}width is {}, which {}heads = {} do not divide; give a head_size",
        path,
        width,
        path,
        heads);
  }
  if (family == RandomFamily::kT5) return;
  if (heads % key_value_heads.value_or(heads) != 0) {
    throw_caller_error(
        "{}key_value_heads is {}, which does not divide {}heads = {}",
        path,
        *key_value_heads,
        path,
        heads);
  }
  if (head_size.value_or(width / heads) % 2 != 0) {
    throw_caller_error(
        "{}: llama's rotary embeddings need an even head size",
        path.substr(0, path.size() - 1));
  }
}

json random_model_config(
    const RandomModelOptions& options, const RandomModelTokens& tokens) {
  const std::int64_t vocabulary =
      options.vocabulary.value_or(rounded_up(tokens.count));
  if (vocabulary < tokens.count) {
    throw_caller_error(
        "{}.vocabulary is {}, but the tokenizer has {} tokens; give at least "
        "as many",
        kPlace,
        vocabulary,
        tokens.count);
  }
  if (tokens.end < 0) {
    throw_caller_error(
        "{}.tokenizer names no end-of-sequence token; add its eos_token to "
        "tokenizer_config.json",
        kPlace);
  }
  const std::int64_t head_size =
      options.head_size.value_or(options.width / options.heads);
  return options.family == RandomFamily::kT5
             ? t5_config(options, tokens, vocabulary, head_size)
             : llama_config(options, tokens, vocabulary, head_size);
}

InitialSpread initial_spread(const json& config, const std::string& name) {
  if (!is_t5(config)) return llama_spread(name);
  return t5_spread(t5_config_from_json(config, kPlace), name);
}

LoadedModel make_random_model(
    const json& config, std::uint64_t seed, const LoadOptions& options) {
  std::uint32_t tensor = kFirstTensor;
  const FindParameter load = [&](const std::string& name,
                                 std::vector<std::int64_t> shape) {
    return random_rows(seed, tensor++, initial_spread(config, name), shape);
  };
  LoadedModel loaded;
  loaded.config = config;
  if (is_t5(config)) {
    loaded.model = std::make_unique<T5Model>(
        t5_config_from_json(config, kPlace), load, options);
  } else {
    loaded.model = std::make_unique<LlamaModel>(
        llama_config_from_json(config, kPlace), load, options);
  }
  return loaded;
}

}  // namespace moft
