// What a reward model reads of a prompt and an answer, by what it is: its own
// chat template, where it has one, on the dialogue; else a pair of the user's
// text and the answer, if it is an encoder; else the two as one text.
//
// Errors: CallerError with the row's place.
// Thread safety: immutable after construction.
#pragma once

#include <optional>
#include <string>

#include "moft/data/chat_prompt.h"
#include "moft/rewards/reward_template.h"
#include "moft/rewards/text_reader.h"

namespace moft {

// As PreferenceOptions have them.
struct PreferenceWords {
  std::optional<std::string> user = {};
  std::optional<std::string> text = {};
};

class PreferenceText {
 public:
  PreferenceText(
      const PreferenceWords& words,
      const ClassifierInfo& info,
      std::optional<ChatPrompt> chat);

  // A row's answer beside its prompt.
  JudgedText of(const RewardBatch& batch, std::size_t row) const;
  // A whole dialogue, whose last turn is the answer. Without a chat template it
  // has to be one user's turn and the answer.
  JudgedText of(ChatTurns dialogue) const;

  const std::optional<ChatPrompt>& chat() const { return chat_; }
  // Whether the prompt as the policy saw it stands for the user's words.
  bool shows_prompt(const Example& example) const;

 private:
  bool reads_dialogue(const Example& example) const {
    return dialogues_ && !example.dialogues.empty();
  }
  ChatTurns turns(const RewardBatch& batch, std::size_t row) const;

  std::optional<ChatPrompt> chat_;
  bool dialogues_;                        // the examples' own are read
  RewardTemplate user_;                   // or the whole text
  std::optional<RewardTemplate> answer_;  // second text of a pair
};

}  // namespace moft
