#include "moft/models/language_model.h"

#include "moft/core/errors.h"

namespace moft {

void check_vocabulary(const TokenIds& ids, std::int64_t vocabulary) {
  for (const std::int32_t id : ids) {
    if (id >= 0 && id < vocabulary) continue;
    throw_caller_error(
        "token id {} is not among the model's {} embedding rows; use the "
        "tokenizer that belongs to this model, or give added tokens their rows "
        "(resize_token_embeddings in transformers)",
        id,
        vocabulary);
  }
}

}  // namespace moft
