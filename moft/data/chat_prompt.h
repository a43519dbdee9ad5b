// A dialogue through a chat template: the pieces of a prompt, or of a whole
// dialogue with the assistant's turns marked.
//
// The prompt of a row's dialogue is what comes up to and including the last
// user's turn, with the template's generation prompt; later turns are dropped.
// A dialogue in the field `prompt` (TRL, verl) is a prompt already and is taken
// whole; where its last turn is the assistant's, that turn is continued
// (transformers' continue_final_message).
//
// Errors: CallerError that begins with the row's place.
// Thread safety: immutable after construction.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "moft/chat/chat_templates.h"
#include "moft/data/chat_settings.h"
#include "moft/data/example.h"
#include "moft/data/prompt_template.h"

namespace moft {

// What a template is run on.
struct ChatTurns {
  ChatMessages messages;    // not empty
  std::string tools = {};   // a JSON list; empty: none
  std::string kwargs = {};  // variables of this row: a JSON object; empty: none
  bool continues = false;   // the last message stays open
  std::string where = {};   // for messages
};

class ChatPrompt {
 public:
  // CallerError for a template that cannot be read.
  explicit ChatPrompt(ChatSettings settings);

  const ChatSettings& settings() const { return settings_; }
  // The settings' kwargs as templates read them: an object of JSON values.
  const ChatJson& variables() const { return variables_; }
  // The usual template, for people.
  const std::string& text() const;
  // Whether its templates mark what the assistant says ({% generation %}).
  bool marks_generation(const ChatTurns& turns) const;

  // The field of an example's dialogue.
  std::string field_of(const Example& example) const;
  // The prompt's turns, the settings' system message put first where there is
  // no other.
  ChatTurns prompt_turns(const Example& example) const;
  // All turns of a dialogue, and those of `completion` after a `prompt`.
  ChatTurns all_turns(const Example& example) const;
  // How many of these belong to a `prompt`, which is read, not learned.
  std::size_t read_turns(const Example& example) const;
  // One user's message.
  ChatTurns user_turn(const std::string& text) const;
  // These turns, with a system message where they have none: `own`, else the
  // settings'. A "developer" message counts as one.
  ChatTurns with_system(
      ChatTurns turns, const std::optional<std::string>& own = {}) const;
  // The texts of an example that prompt_turns() reads.
  std::vector<std::string*> values(Example& example) const;

  // A prompt with its generation prompt. `words` are put before the first
  // user's message.
  std::vector<PromptPiece> render_prompt(
      ChatTurns turns, const std::string& words = {}) const;
  // The template on these turns.
  RenderedChat render(const ChatTurns& turns, bool generation_prompt) const;

 private:
  const ChatTemplate& template_of(const ChatTurns& turns) const;
  // The template's variables: the settings', and over them the row's.
  ChatJson variables_of(const ChatTurns& turns) const;
  const Dialogue& dialogue_of(
      const Example& example, const std::string& field) const;
  // The whole dialogue of that field, and what comes with it.
  ChatTurns turns_of(const Example& example, const std::string& field) const;

  ChatSettings settings_;
  ChatTemplates templates_;
  ChatJson variables_;
};

// Stretches of a rendered chat as pieces of a prompt.
std::vector<PromptPiece> pieces_of(const RenderedChat& chat);

}  // namespace moft
