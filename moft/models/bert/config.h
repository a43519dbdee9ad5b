// The numbers in a BERT-shaped model's config.json (Hugging Face).
// Devlin et al., "BERT", NAACL 2019, arXiv 1810.04805.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>
#include <nlohmann/json_fwd.hpp>

#include "moft/models/activation.h"

namespace moft::bert {

// The defaults are BERT's; other families change what differs.
struct BertConfig {
  std::string family = "bert";
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  // Rows of the table of positions, and the row of a text's first token.
  std::int64_t max_positions = 0;
  std::int64_t first_position = 0;
  bool position_table = true;
  std::int64_t type_vocab_size = 0;  // 0: no table of segments
  double layer_norm_eps = 1e-12;
  Activation activation = Activation::kGelu;

  // Tokens of the longest text.
  std::int64_t context() const { return max_positions - first_position; }
};

// Throws CallerError naming `where`, the field and its value for a field that
// is missing, of the wrong type or out of range, and for what we do not run:
// another model_type, relative positions, decoders, unknown activations.
BertConfig parse_config(const nlohmann::json& json, const std::string& where);

// The keys that all families of this shape read alike, with their defaults.
BertConfig read_shared_keys(
    const ConfigKeys& keys, const std::string& family, double layer_norm_eps);

}  // namespace moft::bert
