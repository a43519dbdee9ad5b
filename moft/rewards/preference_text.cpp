// Prompts and answers to what a reward model reads.
#include "moft/rewards/preference_text.h"

#include "moft/core/errors.h"

namespace moft {
namespace {

constexpr const char* kPrompt = "{prompt}";
constexpr const char* kCompletion = "{completion}";

}  // namespace

PreferenceText::PreferenceText(
    const PreferenceWords& words,
    const ClassifierInfo& info,
    std::optional<ChatPrompt> chat)
    : chat_(std::move(chat)),
      dialogues_(!words.user),
      user_(words.text.value_or(words.user.value_or(kPrompt))) {
  if (words.text) {
    chat_.reset();
  } else if (!chat_ && info.encoder) {
    answer_.emplace(kCompletion);
  } else if (!chat_) {
    user_ = RewardTemplate(words.user.value_or(kPrompt) + kCompletion);
  }
}

JudgedText PreferenceText::of(const RewardBatch& batch, std::size_t row) const {
  if (chat_) return of(turns(batch, row));
  const std::string& completion = batch.completions[row];
  JudgedText text{user_.fill(batch, row, completion)};
  if (answer_) text.second = answer_->fill(batch, row, completion);
  return text;
}

JudgedText PreferenceText::of(ChatTurns dialogue) const {
  if (chat_) return {pieces_of(chat_->render(dialogue, false))};
  const ChatMessages& messages = dialogue.messages;
  const bool single = messages.size() == 2 && messages[0].role == "user" &&
                      messages[1].role == "assistant";
  if (!single) {
    throw_caller_error(
        "{}: the dialogue is not one turn of the user and the answer, and the "
        "model has no chat template for others; give a model with one, or "
        "write the texts that it reads into fields (data.user, data.text)",
        dialogue.where);
  }
  const PromptPiece user{messages[0].content, true};
  const PromptPiece answer{messages[1].content, true};
  if (answer_) return {{user}, std::vector{answer}};
  return {{user, answer}};
}

bool PreferenceText::shows_prompt(const Example& example) const {
  return chat_ && !reads_dialogue(example) && user_.uses_prompt() &&
         !example.fields.contains("prompt");
}

// The row's dialogue, or the user's message, with the answer.
ChatTurns PreferenceText::turns(
    const RewardBatch& batch, std::size_t row) const {
  const Example& example = *batch.examples[row];
  const std::string& completion = batch.completions[row];
  ChatTurns turns;
  if (reads_dialogue(example)) {
    turns = chat_->prompt_turns(example);
  } else {
    std::string user;
    for (const PromptPiece& piece : user_.fill(batch, row, completion))
      user += piece.text;
    turns = chat_->user_turn(user);
  }
  if (turns.continues) {
    turns.messages.back().content += completion;
  } else {
    turns.messages.push_back({"assistant", completion});
  }
  return turns;
}

}  // namespace moft
