// Parsing and rendering as apply_chat_template does.
#include "moft/chat/chat_template.h"

#include <algorithm>
#include <array>

#include "moft/chat/continued_message.h"
#include "moft/chat/fault.h"
#include "moft/chat/globals.h"
#include "moft/chat/interpreter.h"
#include "moft/chat/json_values.h"
#include "moft/chat/run.h"
#include "moft/chat/template_parser.h"
#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/core/utf8.h"

namespace moft {

namespace {

constexpr std::size_t kMaxSource = std::size_t{1} << 20;

// Roles whose words templates put between the signs of a special token.
constexpr std::array<const char*, 16> kRoles = {
    "system",
    "developer",
    "user",
    "assistant",
    "tool",
    "function",
    "observation",
    "ipython",
    "model",
    "environment",
    "documents",
    "context",
    "tool_result",
    "tool_call",
    "tool_response",
    "reasoning"};

constexpr std::array<const char*, 4> kOwnVariables = {
    "messages", "tools", "documents", "add_generation_prompt"};

// A message whose role, if it is one of kRoles, is the template's word.
jinja::Value message_value(const ChatJson& message, jinja::Budget& budget) {
  const auto role = message.is_object() ? message.find("role") : message.end();
  const bool known =
      message.is_object() && role != message.end() && role->is_string() &&
      std::find(
          kRoles.begin(), kRoles.end(), role->get_ref<const std::string&>()) !=
          kRoles.end();
  if (!known) return jinja::from_json(message, budget);
  auto object = std::make_shared<jinja::Dict>(budget);
  for (const auto& [key, value] : message.items()) {
    object->put(
        jinja::from_json(key, budget),
        key == "role" ? jinja::Value::constant(value.get<std::string>())
                      : jinja::from_json(value, budget));
  }
  jinja::Value result(std::shared_ptr<const jinja::Dict>(std::move(object)));
  return result.set_from_conversation();
}

jinja::Value messages_value(const ChatJson& messages, jinja::Budget& budget) {
  std::vector<jinja::Value> items;
  for (const ChatJson& message : messages)
    items.push_back(message_value(message, budget));
  return jinja::list_value(std::move(items), budget).set_from_conversation();
}

void set_variables(
    jinja::Run& run,
    const Conversation& conversation,
    const RenderOptions& options) {
  jinja::add_globals(run);
  for (const auto& [name, token] : options.special_tokens)
    run.set_variable(name, jinja::Value::constant(token));
  for (const auto& [name, value] : conversation.variables.items())
    run.set_variable(name, jinja::from_json(value, run.budget()));
  run.set_variable(
      "messages", messages_value(conversation.messages, run.budget()));
  run.set_variable("tools", jinja::from_json(conversation.tools, run.budget()));
  run.set_variable(
      "documents", jinja::from_json(conversation.documents, run.budget()));
  run.set_variable(
      "add_generation_prompt", jinja::Value(options.add_generation_prompt));
}

// What apply_chat_template refuses before it renders.
void check(
    const Conversation& conversation,
    const RenderOptions& options,
    const std::string& name) {
  if (!conversation.messages.is_array() || conversation.messages.empty())
    throw_caller_error("{}: a conversation needs at least one message", name);
  if (options.add_generation_prompt && options.continue_final_message) {
    throw_caller_error(
        "{}: add_generation_prompt opens a new message and "
        "continue_final_message continues the last one; choose one of them",
        name);
  }
  for (const auto* lists : {&conversation.tools, &conversation.documents}) {
    const bool fits =
        lists->is_null() ||
        (lists->is_array() &&
         std::all_of(lists->begin(), lists->end(), [](const ChatJson& item) {
           return item.is_object();
         }));
    if (!fits) {
      throw_caller_error(
          "{}: tools and documents are lists of JSON objects", name);
    }
  }
  if (!conversation.variables.is_object() && !conversation.variables.is_null())
    throw_caller_error("{}: a template's variables are a JSON object", name);
  for (const char* own : kOwnVariables) {
    if (conversation.variables.is_object() &&
        conversation.variables.contains(own))
      throw_caller_error(
          "{}: the variable '{}' is set by the conversation; rename yours",
          name,
          own);
  }
}

RenderedChat pieces_of(const jinja::MarkedText& text) {
  RenderedChat chat;
  std::size_t start = 0;
  for (const auto& run : text.runs()) {
    chat.pieces.push_back(
        {text.bytes().substr(start, run.end - start),
         (run.marks & jinja::kFromConversation) != 0,
         (run.marks & jinja::kInGeneration) != 0});
    start = run.end;
  }
  return chat;
}

}  // namespace

std::string RenderedChat::text() const {
  std::string text;
  for (const ChatPiece& piece : pieces)
    text += piece.text;
  return text;
}

ChatTemplate ChatTemplate::parse(
    std::string_view source, const std::string& name) {
  if (source.size() > kMaxSource)
    throw_caller_error(
        "{}: a chat template of over {} bytes", name, kMaxSource);
  if (!is_utf8(source))
    throw_caller_error("{}: the chat template is not UTF-8", name);
  ChatTemplate result;
  result.source_ = source;
  result.name_ = name;
  try {
    result.program_ = jinja::parse_template(source);
  } catch (const jinja::Fault& error) {
    throw_caller_error("{}: line {}: {}", name, error.line(), error.what());
  }
  return result;
}

RenderedChat ChatTemplate::render(
    const Conversation& conversation, const RenderOptions& options) const {
  check(conversation, options, name_);
  jinja::Run run(options.limits, options.now);
  try {
    if (!options.continue_final_message) {
      set_variables(run, conversation, options);
      return pieces_of(jinja::run_program(*program_, run));
    }
    const jinja::ContinuedMessage continued(
        conversation.messages, options.continued_field, source_);
    Conversation tagged = conversation;
    tagged.messages = continued.tagged();
    set_variables(run, tagged, options);
    return pieces_of(continued.cut(jinja::run_program(*program_, run)));
  } catch (const jinja::Fault& error) {
    const int line = error.line() > 0 ? error.line() : run.line();
    throw_caller_error("{}: line {}: {}", name_, line, error.what());
  }
}

bool ChatTemplate::marks_generation() const {
  return program_->marks_generation;
}

}  // namespace moft
