// The table of encoders and the reading of their files.
#include "moft/models/encoders.h"

#include <algorithm>

#include "moft/models/bert/family.h"
#include "moft/models/deberta/family.h"
#include "moft/models/model_tensors.h"
#include "moft/models/modernbert/family.h"
#include "moft/models/mpnet/family.h"
#include "moft/models/roberta/family.h"

namespace moft {

const std::vector<EncoderFamily>& encoder_families() {
  static const std::vector<EncoderFamily> families{
      bert::bert_family(),
      roberta::roberta_family(),
      mpnet::mpnet_family(),
      deberta::deberta_family(),
      modernbert::modernbert_family(),
  };
  return families;
}

const EncoderFamily* find_encoder_family(const nlohmann::json& config) {
  const auto type = config.find("model_type");
  const std::string name = type != config.end() && type->is_string()
                               ? type->get<std::string>()
                               : "bert";
  for (const EncoderFamily& family : encoder_families()) {
    const auto& types = family.model_types;
    if (std::ranges::find(types, name) != types.end()) return &family;
  }
  return nullptr;
}

InitialSpread usual_head_spread(const nlohmann::json& config) {
  return {.deviation = config.value("initializer_range", 0.02)};
}

void load_encoder_tensors(
    const EncoderFamily& family,
    std::shared_ptr<const TensorSource> source,
    const std::function<void(const FindParameter&, const HasTensor&)>& build) {
  ModelTensors tensors(source, family.root, family.root + family.anchor);
  build(
      [&](const std::string& name, std::vector<std::int64_t> shape) {
        const TensorView view = tensors.find(name, shape);
        check_finite(*source, view);
        return tensors.rows_of(view);
      },
      [&](const std::string& name) { return tensors.has(name); });
  tensors.check_all_read({""}, family.unused);
}

}  // namespace moft
