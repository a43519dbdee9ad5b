// Rows that are decoded side by side and join and leave at any step.
//
//   admit(group)   gives each row a slot and reserves its memory
//   prefill(n)     reads prompts, whole or in chunks; rows whose prompt is read
//                  return the logits of their first token
//   step(slots, tokens)  feeds one token to each row named; the others wait
//   evict(slot)    a row leaves
//
// Rows of one group that share a prompt share the work on it as far as their
// steerings allow. A twin (a row that reads what its partner writes, to compare
// the two) is a row like any other: feed it its partner's token.
//
// GUARANTEE (CPU float32): a row's logits depend on its own tokens and steering
// alone, bit for bit: not on which rows are beside it, the order in which they
// came, how prompts are chunked, or the number of threads.
//
// Letters: P prompts, B rows, V vocabulary.
// Thread safety: one thread at a time, together with its model.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "moft/models/language_model.h"
#include "moft/weightings/steering.h"

namespace moft {

// Names a row from admission to eviction; then another row may have it.
using Slot = std::int64_t;

struct DecodeRow {
  std::int64_t prompt = 0;    // index into the batch's prompts
  std::int64_t steering = 0;  // index into the batch's steerings
};

// Rows that join together.
struct DecodeGroup {
  std::vector<TokenIds> prompts;
  std::vector<Coefficients> steerings;
  std::vector<DecodeRow> rows;               // [B]
  std::vector<std::int64_t> max_new_tokens;  // [B], or one for all
  // Keeps what the frozen lower layers compute for these rows. Needs one
  // steering per prompt and prompts that are read whole. One group per decoder.
  bool record_features = false;
  // Keeps the prompts' graph for scoring, where the family has one; needs
  // leaves to differentiate, and otherwise the same as record_features.
  bool keep_graph = false;
};

struct DecoderLimits {
  static constexpr std::int64_t kNone =
      std::numeric_limits<std::int64_t>::max();
  std::int64_t slots = kNone;
  std::int64_t pages = kNone;  // of kPageSize tokens (page_pool.h)
};

struct Admission {
  std::vector<Slot> slots;  // of each row; empty when refused
  std::string refusal;      // why the group does not fit now
};

// Rows that can go on, and the logits of their next token.
struct ReadyRows {
  std::vector<Slot> slots;  // rising
  at::Tensor logits;        // [slots, V]
};

class Decoder {
 public:
  static constexpr std::int64_t kWholePrompts =
      std::numeric_limits<std::int64_t>::max();

  virtual ~Decoder() = default;

  // All rows of the group or none. Slots are the lowest free ones.
  // CallerError for indices outside the group, tokens that the model cannot
  // read and rows longer than its context.
  virtual Admission admit(const DecodeGroup& group) = 0;

  // Reads up to `tokens` tokens of the prompts that wait, the first admitted
  // first; a token counts once per steering. At least one token is read, or
  // one prompt where the family reads prompts whole.
  virtual ReadyRows prefill(std::int64_t tokens = kWholePrompts) = 0;

  // Feeds tokens[i] to the row slots[i]: its next logits [slots, V], in this
  // order. REQUIRES distinct slots. CallerError for a slot without a row whose
  // prompt is read, tokens that the model cannot read, and more tokens than
  // the row's max_new_tokens.
  virtual at::Tensor step(
      std::span<const Slot> slots, std::span<const std::int32_t> tokens) = 0;

  // The row leaves. One that waits for its prompt keeps its slot and memory
  // until the prompt is read or all rows that wait for it have left.
  virtual void evict(Slot slot) = 0;

  // Features of the group with record_features: complete once each of its rows
  // was fed all but its last token.
  virtual std::shared_ptr<const Features> features() const { return nullptr; }
  // The graph of the group with keep_graph; null where a family keeps none.
  virtual std::shared_ptr<const PromptGraph> prompt_graph() const {
    return nullptr;
  }
};

}  // namespace moft
