// Reads a DeBERTa's config.json.
#include "moft/models/deberta/config.h"

#include <cctype>

#include "moft/models/config_keys.h"

namespace moft::deberta {
namespace {

// A list, or names with bars between them: "p2c|c2p".
bool names_kind(
    const ConfigKeys& keys, const char* key, const std::string& kind) {
  if (!keys.has(key)) return false;
  const nlohmann::json& value = keys.at(key);
  if (value.is_array()) {
    for (const nlohmann::json& item : value)
      if (item == kind) return true;
    return false;
  }
  std::string text = keys.text_or(key, "");
  for (char& c : text)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text.find(kind) != std::string::npos;
}

// -1 is none.
std::int64_t count_or(
    const ConfigKeys& keys, const char* key, std::int64_t otherwise) {
  if (keys.has(key) && keys.at(key).is_number_integer() && keys.at(key) < 1)
    return otherwise;
  return keys.size_or(key, otherwise);
}

void read_positions(const ConfigKeys& keys, DebertaConfig& c) {
  c.relative = keys.flag_or("relative_attention", false);
  c.content_to_position = names_kind(keys, "pos_att_type", "c2p");
  c.position_to_content = names_kind(keys, "pos_att_type", "p2c");
  c.shared_projections = keys.flag_or("share_att_key", false);
  c.norm_positions = names_kind(keys, "norm_rel_ebd", "layer_norm");
  c.max_distance =
      count_or(keys, "max_relative_positions", c.bert.max_positions);
  c.buckets = count_or(keys, "position_buckets", 0);
  c.span = c.buckets > 0 ? c.buckets : c.max_distance;
  // Positions of the middle have a row each, so there must be a middle.
  if (c.buckets == 1) keys.refuse("position_buckets", "two buckets and more");
  if (c.buckets > 0 && c.max_distance - 1 <= c.buckets / 2)
    keys.refuse("position_buckets", "fewer buckets than twice the positions");
}

}  // namespace

DebertaConfig parse_config(
    const nlohmann::json& config, const std::string& place) {
  const ConfigKeys keys(config, place, "DeBERTa encoder");
  DebertaConfig c;
  c.bert = bert::read_shared_keys(keys, "deberta-v2", 1e-7);
  c.bert.position_table = keys.flag_or("position_biased_input", true);
  c.bert.type_vocab_size = count_or(keys, "type_vocab_size", 0);
  for (const char* key : {"embedding_size", "pooler_hidden_size"}) {
    if (keys.size_or(key, c.bert.hidden_size) != c.bert.hidden_size)
      keys.refuse(key, "the size of hidden_size");
  }
  if (keys.size_or("attention_head_size", c.bert.hidden_size / c.bert.heads) !=
      c.bert.hidden_size / c.bert.heads)
    keys.refuse("attention_head_size", "hidden_size / num_attention_heads");
  read_positions(keys, c);
  c.convolution = count_or(keys, "conv_kernel_size", 0);
  if (c.convolution > 0) {
    if (c.convolution % 2 == 0)
      keys.refuse("conv_kernel_size", "an odd number of tokens");
    c.convolution_groups = keys.size_or("conv_groups", 1);
    if (c.bert.hidden_size % c.convolution_groups != 0)
      keys.refuse("conv_groups", "groups that divide hidden_size");
    c.convolution_activation = read_activation(keys, "conv_act", "tanh");
  }
  return c;
}

}  // namespace moft::deberta
