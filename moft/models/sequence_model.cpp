// Heads and vocabulary checks that all sequence models share.
#include "moft/models/sequence_model.h"

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

at::Tensor SequenceModel::last_states(
    const std::vector<TokenIds>& texts, const RowSteering& steering) {
  std::vector<std::int64_t> last;
  std::int64_t end = 0;
  for (const TokenIds& text : texts)
    last.push_back((end += std::ssize(text)) - 1);
  const at::Tensor states = token_states(texts, steering);
  return states.index_select(0, at::tensor(last, at::kLong).to(device_));
}

void SequenceModel::replace_head(std::shared_ptr<SteeredParameter> weight) {
  auto& parameters = steerable_.parameters;
  std::erase_if(steerable_.linears, [&](const SteerableLinear& entry) {
    if (entry.linear != &head_) return false;
    const auto& old = head_.weight_handle();
    const bool tied = old->name() != entry.name + ".weight";
    if (tied) {
      old->set_tied_head(false);
    } else {
      std::erase(parameters, old);
    }
    return true;
  });
  parameters.push_back(weight);
  const std::string name = weight->name();
  head_ = SteeredLinear(std::move(weight));
  steerable_.linears.push_back(
      {name.substr(0, name.rfind('.')), "head", steerable_.layers, &head_});
}

}  // namespace moft
