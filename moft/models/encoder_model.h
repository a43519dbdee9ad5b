// An encoder: a sequence model that reads texts whole, or pairs of texts as one
// with two segments.
//
// Errors and thread safety: as SequenceModel's.
#pragma once

#include <cstdint>
#include <vector>

#include "moft/models/sequence_model.h"

namespace moft {

class EncoderModel : public SequenceModel {
 public:
  // As token_states(); from its token second[i] on, text i is its second
  // segment, which models without segments pass over. Empty: there are none.
  virtual at::Tensor pair_states(
      const std::vector<TokenIds>& texts,
      const std::vector<std::int64_t>& second,
      const RowSteering& steering) = 0;
  at::Tensor token_states(
      const std::vector<TokenIds>& texts, const RowSteering& steering) final {
    return pair_states(texts, {}, steering);
  }

 protected:
  using SequenceModel::SequenceModel;
};

}  // namespace moft
