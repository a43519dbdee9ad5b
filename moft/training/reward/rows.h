// Rows of data as the token ids that a classifier learns from.
//
// What is read of a row is what the rewards `classifier` and `preference` read
// of an answer (rewards/text_reader.h, rewards/preference_text.h), in one
// window.
//
// Errors: CallerError naming the row: a field that is missing or of another
// kind, a label that the model does not have, a text that is empty or too long.
// Thread safety: pure functions, plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moft/data/chat_prompt.h"
#include "moft/data/example.h"
#include "moft/data/fit_prompts.h"
#include "moft/rewards/text_reader.h"
#include "moft/training/reward/options.h"

namespace moft {

struct ReadText {
  TokenIds ids;             // not empty, without padding
  std::int64_t second = 0;  // where its second segment begins; 0: it has none
};

struct RewardRow {
  // One; of a preference that with the chosen and that with the rejected
  // answer.
  std::vector<ReadText> texts;
  std::int64_t label = 0;  // by its index
  double number = 0.0;     // what regression learns, or a preference's margin

  std::int64_t tokens() const;
};

struct RewardRows {
  std::vector<RewardRow> rows;  // not empty
  LengthReport lengths;         // skipped or cut: too long
};

// The labels of all rows, each once: by number where all are whole numbers,
// else by their letters. CallerError for fewer than two.
std::vector<std::string> labels_of_rows(
    const std::vector<Example>& examples, const std::string& field);

// What all rows of one run are read by.
struct RowReading {
  const TextReader* reader = nullptr;
  std::optional<ChatPrompt> chat = {};  // the model's template
  RewardDataOptions data;
  RewardTask kind = RewardTask::kClassification;
};

RewardRows encode_reward_rows(
    const std::vector<Example>& examples, const RowReading& reading);

}  // namespace moft
