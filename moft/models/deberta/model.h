// DeBERTa-v2 and v3: a BERT whose attention reads content and relative position
// apart,
//
//   score(i, j) = (q_i . k_j + q_i . K_r + k_j . Q_r) / sqrt(terms d),
//
// r the bucket of i - j, K and Q the projected table of positions. Distances up
// to half of the buckets have one each, further ones share buckets that widen
// with the logarithm.
#pragma once

#include <memory>

#include "moft/models/bert/model.h"
#include "moft/models/deberta/config.h"

namespace moft::deberta {

// The bucket of each distance i - j from 1 - length to length - 1, as a row of
// the table of positions: int64 [2 length - 1].
at::Tensor position_rows(const DebertaConfig& config, std::int64_t length);

class DebertaModel : public bert::BertModel {
 public:
  DebertaModel(
      const DebertaConfig& config,
      const FindParameter& find,
      const LoadOptions& options);

 protected:
  at::Tensor attend(
      const at::Tensor& qkv,
      const PackedTexts& texts,
      std::size_t index,
      const RowSteering& rows) const override;
  at::Tensor after_layer(
      at::Tensor x,
      const at::Tensor& embedded,
      const PackedTexts& texts,
      std::size_t index,
      const RowSteering& rows) const override;

 private:
  // The projections of positions of a layer; empty where they are shared.
  struct Projections {
    SteeredLinear key, query;
  };

  // The table of positions as layers read it: [2 span, hidden].
  at::Tensor positions(const RowSteering& steering) const;

  DebertaConfig deberta_;
  std::shared_ptr<SteeredParameter> positions_;  // [2 span, hidden]
  SteeredLayerNorm positions_norm_;
  std::vector<Projections> projections_;
  std::shared_ptr<SteeredParameter> kernel_;  // [hidden, hidden / groups, seen]
  std::shared_ptr<SteeredParameter> kernel_bias_;
  SteeredLayerNorm convolution_norm_;
};

}  // namespace moft::deberta
