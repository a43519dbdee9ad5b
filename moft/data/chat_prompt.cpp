// Runs chat templates on the dialogues of examples.
#include "moft/data/chat_prompt.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/json.h"
#include "moft/core/text.h"

namespace moft {
namespace {

constexpr const char* kPromptField = "prompt";
constexpr const char* kCompletionField = "completion";
constexpr std::array kDialogueFields = {
    "messages", kPromptField, "conversations"};

bool is_system(const ChatMessage& message) {
  return message.role == "system" || message.role == "developer";
}

// true, false, null, a number, or a text; a list or object is JSON.
ChatJson variable(const std::string& name, const std::string& text) {
  if (text == "true" || text == "True") return true;
  if (text == "false" || text == "False") return false;
  if (text == "null") return nullptr;
  if (const auto number = parse_integer(text)) return *number;
  if (const auto number = parse_real(text)) return *number;
  if (text.starts_with("[") || text.starts_with("{"))
    return parse_ordered_json(text, "data.chat_template_kwargs." + name);
  return text;
}

}  // namespace

std::vector<PromptPiece> pieces_of(const RenderedChat& chat) {
  std::vector<PromptPiece> pieces;
  for (const ChatPiece& piece : chat.pieces) {
    // They may differ in the mark of the assistant's words alone.
    if (!pieces.empty() &&
        pieces.back().from_field == piece.from_conversation) {
      pieces.back().text += piece.text;
    } else {
      pieces.push_back({piece.text, piece.from_conversation});
    }
  }
  return pieces;
}

ChatPrompt::ChatPrompt(ChatSettings settings)
    : settings_(std::move(settings)),
      templates_(ChatTemplates::parse(settings_.templates)) {
  variables_ = ChatJson::object();
  for (const auto& [name, text] : settings_.kwargs)
    variables_[name] = variable(name, text);
  templates_.choose("", /*has_tools=*/false);
}

const std::string& ChatPrompt::text() const {
  return templates_.choose("", /*has_tools=*/false).source();
}

const ChatTemplate& ChatPrompt::template_of(const ChatTurns& turns) const {
  return templates_.choose("", !turns.tools.empty());
}

bool ChatPrompt::marks_generation(const ChatTurns& turns) const {
  return template_of(turns).marks_generation();
}

std::string ChatPrompt::field_of(const Example& example) const {
  if (!settings_.messages.empty()) return settings_.messages;
  for (const char* field : kDialogueFields)
    if (example.dialogues.contains(field)) return field;
  return kDialogueFields.front();
}

const Dialogue& ChatPrompt::dialogue_of(
    const Example& example, const std::string& field) const {
  const auto found = example.dialogues.find(field);
  if (found == example.dialogues.end()) {
    const auto text = example.fields.find(field);
    const auto other = example.other_fields.find(field);
    std::string what = "does not have";
    if (text != example.fields.end()) what = "has as a text";
    if (other != example.other_fields.end())
      what = fmt::format("has as {}", other->second);
    throw_caller_error(
        "{}: the chat template needs a list of messages in the field {}, "
        "which this row {}; write [{{\"role\": \"user\", \"content\": ..}}], "
        "name the field in data.messages, or give data.prompt_template for "
        "texts",
        place_of(example),
        quote_text(field),
        what);
  }
  if (!found->second.fault.empty())
    throw_caller_error("{}: {}", place_of(example), found->second.fault);
  return found->second;
}

ChatTurns ChatPrompt::turns_of(
    const Example& example, const std::string& field) const {
  return {
      .messages = dialogue_of(example, field).messages,
      .tools = example.tools,
      .kwargs = example.chat_template_kwargs,
      .where = place_of(example)};
}

ChatTurns ChatPrompt::with_system(
    ChatTurns turns, const std::optional<std::string>& own) const {
  ChatMessages& messages = turns.messages;
  const auto& system = own ? own : settings_.system;
  if (system && !is_system(messages.front()))
    messages.insert(messages.begin(), {"system", *system});
  return turns;
}

ChatTurns ChatPrompt::prompt_turns(const Example& example) const {
  const std::string field = field_of(example);
  ChatTurns turns = turns_of(example, field);
  if (field == kPromptField) {
    turns.continues = turns.messages.back().role == "assistant";
  } else {
    turns.messages.resize(count_to_last_user(turns.messages));
  }
  if (turns.messages.empty()) {
    throw_caller_error(
        "{}: the dialogue {} has no turn of the user; add one, or remove the "
        "row",
        turns.where,
        quote_text(field));
  }
  return with_system(std::move(turns));
}

ChatTurns ChatPrompt::all_turns(const Example& example) const {
  const std::string field = field_of(example);
  ChatTurns turns = turns_of(example, field);
  if (field == kPromptField) {
    const auto& more = dialogue_of(example, kCompletionField).messages;
    turns.messages.insert(turns.messages.end(), more.begin(), more.end());
  }
  return with_system(std::move(turns));
}

std::size_t ChatPrompt::read_turns(const Example& example) const {
  const std::string field = field_of(example);
  if (field != kPromptField) return 0;
  return with_system(turns_of(example, field)).messages.size();
}

ChatTurns ChatPrompt::user_turn(const std::string& text) const {
  ChatTurns turns;
  turns.messages.push_back({"user", text});
  return with_system(std::move(turns));
}

std::vector<std::string*> ChatPrompt::values(Example& example) const {
  const std::string field = field_of(example);
  ChatMessages& messages = example.dialogues.at(field).messages;
  const std::size_t count =
      field == kPromptField ? messages.size() : count_to_last_user(messages);
  std::vector<std::string*> values;
  for (std::size_t i = 0; i < count; ++i)
    values.push_back(&messages[i].content);
  return values;
}

ChatJson ChatPrompt::variables_of(const ChatTurns& turns) const {
  if (turns.kwargs.empty()) return variables_;
  const ChatJson own = ChatJson::parse(turns.kwargs);
  if (!own.is_object()) {
    throw_caller_error(
        "the field 'chat_template_kwargs' is {}; write an object, such as "
        "{{\"enable_thinking\": false}}",
        quote_text(turns.kwargs));
  }
  ChatJson variables = variables_;
  variables.update(own);
  return variables;
}

RenderedChat ChatPrompt::render(
    const ChatTurns& turns, bool generation_prompt) const {
  Conversation conversation;
  conversation.messages = messages_to_json(turns.messages);
  if (!turns.tools.empty()) conversation.tools = ChatJson::parse(turns.tools);
  RenderOptions options;
  options.add_generation_prompt = generation_prompt && !turns.continues;
  options.continue_final_message = generation_prompt && turns.continues;
  options.special_tokens = settings_.special_tokens;
  try {
    conversation.variables = variables_of(turns);
    return template_of(turns).render(conversation, options);
  } catch (const CallerError& error) {
    if (turns.where.empty()) throw;
    throw_caller_error("{}: {}", turns.where, error.what());
  }
}

std::vector<PromptPiece> ChatPrompt::render_prompt(
    ChatTurns turns, const std::string& words) const {
  if (!words.empty()) {
    const auto user = std::find_if(
        turns.messages.begin(), turns.messages.end(), [](const auto& message) {
          return message.role == "user";
        });
    if (user == turns.messages.end()) {
      throw_caller_error(
          "{}: a weighting's words are put at the first user's message, and "
          "this dialogue has none; add one",
          turns.where);
    }
    user->content = words + user->content;
  }
  return pieces_of(render(turns, /*generation_prompt=*/true));
}

}  // namespace moft
