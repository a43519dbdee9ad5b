// Feeding known tokens to a decoder.
#pragma once

#include <memory>
#include <vector>

#include <ATen/core/grad_mode.h>

#include "moft/models/decoder.h"

namespace moft::test {

inline DecodeGroup decode_group(
    std::vector<TokenIds> prompts,
    std::vector<Coefficients> steerings,
    std::vector<DecodeRow> rows,
    std::int64_t max_new_tokens = 40) {
  DecodeGroup group;
  group.prompts = std::move(prompts);
  group.steerings = std::move(steerings);
  group.rows = std::move(rows);
  group.max_new_tokens = {max_new_tokens};
  return group;
}

// Decodes the completions of a group's rows side by side; rows leave as they
// end. Logits of each row's tokens: rows x [tokens of its completion, V].
inline std::vector<at::Tensor> decoded_rows(
    Decoder& decoder,
    const DecodeGroup& group,
    const std::vector<TokenIds>& completions) {
  const Admission admission = decoder.admit(group);
  TORCH_CHECK(admission.refusal.empty(), admission.refusal);
  std::vector<std::vector<at::Tensor>> logits(completions.size());
  std::vector<std::size_t> alive;
  for (std::size_t row = 0; row < completions.size(); ++row)
    alive.push_back(row);
  at::Tensor next = decoder.prefill().logits;
  for (std::size_t t = 0; !alive.empty(); ++t) {
    std::vector<std::size_t> going;
    std::vector<Slot> slots;
    std::vector<std::int32_t> fed;
    for (std::size_t i = 0; i < alive.size(); ++i) {
      const std::size_t row = alive[i];
      logits[row].push_back(
          next.narrow(0, static_cast<std::int64_t>(i), 1).clone());
      if (t + 1 == completions[row].size()) {
        decoder.evict(admission.slots[row]);
        continue;
      }
      going.push_back(row);
      slots.push_back(admission.slots[row]);
      fed.push_back(completions[row][t]);
    }
    alive = std::move(going);
    if (!alive.empty()) next = decoder.step(slots, fed);
  }
  std::vector<at::Tensor> rows;
  for (const auto& row : logits)
    rows.push_back(at::cat(row));
  return rows;
}

// The same by a decoder of its own, the rows one after the other, as scoring
// gives them.
inline at::Tensor decoded(
    LanguageModel& model,
    const DecodeGroup& group,
    const std::vector<TokenIds>& completions) {
  return at::cat(decoded_rows(*model.open_decoder({}), group, completions));
}

}  // namespace moft::test
