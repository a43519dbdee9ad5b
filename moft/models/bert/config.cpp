// Reads a BERT's config.json.
#include "moft/models/bert/config.h"

#include <map>

#include <nlohmann/json.hpp>

#include "moft/core/errors.h"

namespace moft::bert {
namespace {

using Json = nlohmann::json;

// Far above any real model, far below where products of two overflow.
constexpr std::int64_t kMaxSize = std::int64_t{1} << 24;

std::int64_t positive(
    const Json& json, const std::string& name, const std::string& where) {
  const auto found = json.find(name);
  if (found == json.end()) {
    throw_caller_error("{}: {} is missing", where, name);
  }
  const bool fits =
      found->is_number_integer() && *found >= 1 && *found <= kMaxSize;
  if (!fits) {
    throw_caller_error(
        "{}: {} is {}; it must be a whole number from 1 to {}",
        where,
        name,
        found->dump(),
        kMaxSize);
  }
  return found->get<std::int64_t>();
}

// A field that may be absent but must not say anything else than `wanted`.
void expect(
    const Json& json,
    const std::string& name,
    const Json& wanted,
    const std::string& where) {
  const auto found = json.find(name);
  if (found != json.end() && *found != wanted) {
    throw_caller_error(
        "{}: {} is {}; only {} is supported",
        where,
        name,
        found->dump(),
        wanted.dump());
  }
}

Activation parse_activation(const Json& json, const std::string& where) {
  static const std::map<std::string, Activation> kActivations = {
      {"gelu", Activation::kGelu},
      {"gelu_new", Activation::kGeluTanh},
      {"gelu_pytorch_tanh", Activation::kGeluTanh},
      {"relu", Activation::kRelu},
  };
  const auto field = json.find("hidden_act");
  if (field == json.end()) return Activation::kGelu;
  const auto found = field->is_string()
                         ? kActivations.find(field->get<std::string>())
                         : kActivations.end();
  if (found == kActivations.end()) {
    throw_caller_error(
        "{}: hidden_act is {}; gelu, gelu_new, gelu_pytorch_tanh and relu are "
        "supported",
        where,
        field->dump());
  }
  return found->second;
}

double parse_eps(const Json& json, const std::string& where) {
  const auto field = json.find("layer_norm_eps");
  if (field == json.end()) return 1e-12;
  if (!field->is_number() || !(field->get<double>() > 0) ||
      field->get<double>() > 1) {
    throw_caller_error(
        "{}: layer_norm_eps is {}; it must be a number above 0 and at most 1",
        where,
        field->dump());
  }
  return field->get<double>();
}

}  // namespace

BertConfig parse_config(const Json& json, const std::string& where) {
  if (!json.is_object()) {
    throw_caller_error("{}: is not a JSON object", where);
  }
  expect(json, "model_type", "bert", where);
  expect(json, "position_embedding_type", "absolute", where);
  expect(json, "is_decoder", false, where);
  BertConfig config;
  config.vocab_size = positive(json, "vocab_size", where);
  config.hidden_size = positive(json, "hidden_size", where);
  config.intermediate_size = positive(json, "intermediate_size", where);
  config.layers = positive(json, "num_hidden_layers", where);
  config.heads = positive(json, "num_attention_heads", where);
  config.max_positions = positive(json, "max_position_embeddings", where);
  config.type_vocab_size = positive(json, "type_vocab_size", where);
  config.layer_norm_eps = parse_eps(json, where);
  config.activation = parse_activation(json, where);
  if (config.hidden_size % config.heads != 0) {
    throw_caller_error(
        "{}: hidden_size {} is not a multiple of num_attention_heads {}",
        where,
        config.hidden_size,
        config.heads);
  }
  return config;
}

}  // namespace moft::bert
