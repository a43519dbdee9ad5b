// The numbers in a BERT-shaped model's config.json (Hugging Face).
// Devlin et al., "BERT", NAACL 2019, arXiv 1810.04805.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>
#include <nlohmann/json_fwd.hpp>

namespace moft::bert {

enum class Activation { kGelu, kGeluTanh, kRelu };

struct BertConfig {
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t max_positions = 0;
  std::int64_t type_vocab_size = 0;
  double layer_norm_eps = 1e-12;
  Activation activation = Activation::kGelu;
};

// Throws CallerError naming `where`, the field and its value for a field that
// is missing, of the wrong type or out of range, and for what we do not run:
// another model_type, relative positions, decoders, unknown activations.
BertConfig parse_config(const nlohmann::json& json, const std::string& where);

}  // namespace moft::bert
