#include "moft/models/llama/config.h"

#include <nlohmann/json.hpp>

#include "moft/checkpoints/gguf.h"
#include "moft/core/errors.h"
#include "moft/models/config_keys.h"

namespace moft {
namespace {

using nlohmann::json;

class Keys : public ConfigKeys {
 public:
  using ConfigKeys::ConfigKeys;

  double number_or(const char* key, double otherwise) const {
    if (!has(key)) return otherwise;
    if (!at(key).is_number()) {
      throw_caller_error("{}: key '{}' must be a number", place(), key);
    }
    return at(key).get<double>();
  }
  // What is no text counts as absent.
  std::string text_or(const char* key, const std::string& otherwise) const {
    if (!has(key) || !at(key).is_string()) return otherwise;
    return at(key).get<std::string>();
  }
};

void refuse(const Keys& keys, const char* key, const std::string& supported) {
  throw_caller_error(
      "{}: {} = {} is not supported; moft computes {}",
      keys.place(),
      key,
      keys.at(key).dump(),
      supported);
}

// theta from rope_theta, or from the newer rope_parameters / rope_scaling.
double rope_theta(const Keys& keys) {
  double theta = keys.number_or("rope_theta", 10000.0);
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (!keys.has(key)) continue;
    const json& scaling = keys.at(key);
    if (!scaling.is_object()) refuse(keys, key, "plain rotary embeddings");
    for (const char* kind : {"rope_type", "type"}) {
      if (scaling.contains(kind) && scaling.at(kind) != "default") {
        refuse(keys, key, "plain rotary embeddings (rope_type default)");
      }
    }
    if (scaling.contains("rope_theta") && scaling["rope_theta"].is_number()) {
      theta = scaling["rope_theta"].get<double>();
    }
  }
  return theta;
}

void refuse_other_computations(const Keys& keys) {
  if (keys.text_or("hidden_act", "silu") != "silu") {
    refuse(keys, "hidden_act", "silu (SwiGLU)");
  }
  if (keys.flag_or("use_sliding_window", false)) {
    refuse(keys, "use_sliding_window", "full causal attention");
  }
  if (keys.has("partial_rotary_factor") &&
      keys.number_or("partial_rotary_factor", 1.0) != 1.0) {
    refuse(keys, "partial_rotary_factor", "rotary embeddings of whole heads");
  }
}

std::vector<std::int32_t> end_tokens(const Keys& keys) {
  std::vector<std::int32_t> ids;
  if (!keys.has("eos_token_id")) return ids;
  const json& value = keys.at("eos_token_id");
  const auto add = [&](const json& id) {
    if (!id.is_number_integer()) {
      throw_caller_error(
          "{}: eos_token_id must be a token id or a list of them",
          keys.place());
    }
    ids.push_back(id.get<std::int32_t>());
  };
  if (value.is_array()) {
    for (const json& id : value)
      add(id);
  } else {
    add(value);
  }
  return ids;
}

void check_shape(const LlamaConfig& c, const std::string& place) {
  if (c.head_size < 1) {
    throw_caller_error(
        "{}: {} attention heads are too many for a width of {}",
        place,
        c.heads,
        c.width);
  }
  if (c.heads % c.kv_heads != 0) {
    throw_caller_error(
        "{}: {} attention heads cannot share {} key/value heads evenly",
        place,
        c.heads,
        c.kv_heads);
  }
  if (c.head_size % 2 != 0) {
    throw_caller_error(
        "{}: head size {} is odd; rotary embeddings need an even one",
        place,
        c.head_size);
  }
}

}  // namespace

LlamaConfig llama_config_from_json(
    const json& config, const std::string& place) {
  const Keys keys(config, place);
  LlamaConfig c;
  c.architecture = keys.text_or("model_type", "");
  if (c.architecture != "llama" && c.architecture != "qwen2" &&
      c.architecture != "qwen3") {
    throw_caller_error(
        "{}: model_type '{}' is not supported; moft runs llama, qwen2, qwen3 "
        "and t5",
        place,
        c.architecture);
  }
  refuse_other_computations(keys);
  c.vocabulary = keys.size("vocab_size");
  c.width = keys.size("hidden_size");
  c.layers = keys.size("num_hidden_layers");
  c.heads = keys.size("num_attention_heads");
  c.kv_heads = keys.size_or("num_key_value_heads", c.heads);
  const bool qwen3 = c.architecture == "qwen3";
  if (!keys.has("head_dim") && !qwen3 && c.width % c.heads != 0) {
    throw_caller_error(
        "{}: hidden_size {} cannot be divided among {} attention heads; give "
        "head_dim",
        place,
        c.width,
        c.heads);
  }
  c.head_size = keys.size_or("head_dim", qwen3 ? 128 : c.width / c.heads);
  c.feed_forward = keys.size("intermediate_size");
  c.context = keys.size_or("max_position_embeddings", 2048);
  c.rope_theta = rope_theta(keys);
  c.norm_epsilon = keys.number_or("rms_norm_eps", 1e-6);
  c.tied_head = keys.flag_or("tie_word_embeddings", false);
  const bool qwen2 = c.architecture == "qwen2";
  c.output_bias = !qwen2 && keys.flag_or("attention_bias", false);
  c.qkv_bias = c.output_bias || qwen2;
  c.feed_forward_bias = keys.flag_or("mlp_bias", false);
  c.query_key_norm = qwen3;
  c.end_tokens = end_tokens(keys);
  check_shape(c, place);
  return c;
}

LlamaConfig llama_config_from_gguf(const GgufFile& file) {
  LlamaConfig c;
  c.architecture = file.text("general.architecture");
  const std::string& arch = c.architecture;
  if (arch != "llama" && arch != "qwen2" && arch != "qwen3") {
    throw_caller_error(
        "{}: architecture '{}' is not supported; moft runs llama, qwen2 and "
        "qwen3",
        file.describe(),
        arch);
  }
  const auto key = [&](const char* name) { return arch + "." + name; };
  const std::string scaling = file.text_or(key("rope.scaling.type"), "none");
  if (scaling != "none" || file.find("rope_freqs.weight")) {
    throw_caller_error(
        "{}: rope scaling '{}' is not supported; moft computes plain rotary "
        "embeddings",
        file.describe(),
        scaling);
  }
  c.width = file.integer(key("embedding_length"));
  c.layers = file.integer(key("block_count"));
  c.heads = file.integer(key("attention.head_count"));
  c.kv_heads = file.integer_or(key("attention.head_count_kv"), c.heads);
  c.feed_forward = file.integer(key("feed_forward_length"));
  c.context = file.integer(key("context_length"));
  for (const std::int64_t size :
       {c.width, c.layers, c.heads, c.kv_heads, c.feed_forward, c.context}) {
    if (size < 1 || size > (std::int64_t{1} << 31)) {
      throw_caller_error(
          "{}: the metadata gives a model dimension of {}; the file is damaged",
          file.describe(),
          size);
    }
  }
  c.head_size = file.integer_or(key("attention.key_length"), c.width / c.heads);
  c.rope_theta = file.number_or(key("rope.freq_base"), 10000.0);
  c.norm_epsilon = file.number(key("attention.layer_norm_rms_epsilon"));
  c.tied_head = !file.find("output.weight").has_value();
  c.qkv_bias = file.find("blk.0.attn_q.bias").has_value();
  c.output_bias = file.find("blk.0.attn_output.bias").has_value();
  c.feed_forward_bias = file.find("blk.0.ffn_gate.bias").has_value();
  c.query_key_norm = file.find("blk.0.attn_q_norm.weight").has_value();
  const auto embedding = file.find("token_embd.weight");
  if (!embedding || embedding->shape.size() != 2) {
    throw_caller_error(
        "{}: tensor 'token_embd.weight' is missing; is this a language model?",
        file.describe());
  }
  c.vocabulary = embedding->shape[0];
  c.end_tokens = file.end_tokens();
  check_shape(c, file.describe());
  return c;
}

json llama_config_to_json(const LlamaConfig& c) {
  const bool qwen2 = c.architecture == "qwen2";
  const bool qwen3 = c.architecture == "qwen3";
  json config = {
      {"model_type", c.architecture},
      {"architectures",
       {qwen3   ? "Qwen3ForCausalLM"
        : qwen2 ? "Qwen2ForCausalLM"
                : "LlamaForCausalLM"}},
      {"vocab_size", c.vocabulary},
      {"hidden_size", c.width},
      {"num_hidden_layers", c.layers},
      {"num_attention_heads", c.heads},
      {"num_key_value_heads", c.kv_heads},
      {"head_dim", c.head_size},
      {"intermediate_size", c.feed_forward},
      {"max_position_embeddings", c.context},
      {"rope_theta", c.rope_theta},
      {"rms_norm_eps", c.norm_epsilon},
      {"tie_word_embeddings", c.tied_head},
      {"hidden_act", "silu"},
      {"torch_dtype", "float32"}};
  if (!qwen2) config["attention_bias"] = c.output_bias;
  if (!qwen2 && !qwen3) config["mlp_bias"] = c.feed_forward_bias;
  if (c.end_tokens.size() == 1) config["eos_token_id"] = c.end_tokens[0];
  if (c.end_tokens.size() > 1) config["eos_token_id"] = c.end_tokens;
  return config;
}

}  // namespace moft
