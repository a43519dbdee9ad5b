// The numbers in a DeBERTa-v2 or v3's config.json (Hugging Face).
// He et al., "DeBERTa", ICLR 2021, arXiv 2006.03654; v3: arXiv 2111.09543.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "moft/models/bert/config.h"

namespace moft::deberta {

struct DebertaConfig {
  bert::BertConfig bert;
  bool relative = false;  // positions enter attention, too
  bool content_to_position = false;
  bool position_to_content = false;
  bool shared_projections = false;  // positions use the content's q and k
  bool norm_positions = false;      // a LayerNorm on the table of positions
  std::int64_t span = 0;            // the table has 2 span rows
  std::int64_t buckets = 0;         // 0: a row per distance
  std::int64_t max_distance = 0;
  // v2's larger models: a convolution beside the first layer; 0: none.
  std::int64_t convolution = 0;  // tokens it sees
  std::int64_t convolution_groups = 1;
  Activation convolution_activation = Activation::kTanh;

  // Scores are divided by the root of the head size times this.
  std::int64_t score_terms() const {
    return 1 + (content_to_position ? 1 : 0) + (position_to_content ? 1 : 0);
  }
};

// CallerError naming the key that asks for another computation.
DebertaConfig parse_config(
    const nlohmann::json& config, const std::string& place);

}  // namespace moft::deberta
