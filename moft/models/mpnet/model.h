// MPNet: a BERT without segments whose attention adds a bias per relative
// position, the same in all layers, with T5's buckets.
// Song et al., NeurIPS 2020, arXiv 2004.09297.
#pragma once

#include <memory>

#include "moft/models/bert/model.h"

namespace moft::mpnet {

// `place` opens error messages.
bert::BertConfig parse_config(
    const nlohmann::json& config, const std::string& place);

class MpnetModel : public bert::BertModel {
 public:
  MpnetModel(
      const bert::BertConfig& config,
      const FindParameter& find,
      const LoadOptions& options);

 protected:
  at::Tensor attend(
      const at::Tensor& qkv,
      const PackedTexts& texts,
      std::size_t index,
      const RowSteering& rows) const override;

 private:
  std::shared_ptr<SteeredParameter> bias_;  // [buckets, heads]
};

}  // namespace moft::mpnet
