// Parsing and rendering as apply_chat_template does.
#include "moft/chat/chat_template.h"

#include <algorithm>
#include <array>

#include "moft/chat/interpreter.h"
#include "moft/chat/methods.h"
#include "moft/chat/run.h"
#include "moft/chat/template_parser.h"
#include "moft/chat/text_functions.h"
#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/core/utf8.h"

namespace moft {

namespace {

constexpr std::size_t kMaxSource = std::size_t{1} << 20;

// Roles whose words templates put between the signs of a special token.
constexpr std::string_view kRoles =
    " system developer user assistant tool function observation ipython model "
    "environment documents context tool_result tool_call tool_response "
    "reasoning ";

constexpr std::array<const char*, 4> kOwnVariables = {
    "messages", "tools", "documents", "add_generation_prompt"};

// transformers' own tag for where the last message ends: a conversation that
// holds it is cut there, too.
constexpr std::string_view kTag = "CONTINUE_FINAL_MESSAGE_TAG ";
constexpr std::string_view kTagWord = kTag.substr(0, kTag.size() - 1);

jinja::Value text_of_conversation(
    const std::string& bytes, jinja::Budget& budget) {
  if (!is_utf8(bytes)) jinja::fault("a text of the conversation is not UTF-8");
  return jinja::text_value(
      jinja::MarkedText(bytes, jinja::kFromConversation), budget);
}

// Whether a text is the role of a message and one of kRoles: the template's
// own word.
bool is_known_role(const std::string& key, const ChatJson& value) {
  return key == "role" && value.is_string() &&
         jinja::is_listed(kRoles, value.get_ref<const std::string&>());
}

// Every byte and number of it comes from the conversation, but for the roles
// of a message. Fault for malformed UTF-8 and whole numbers beyond 64 bits.
jinja::Value value_of(
    const ChatJson& json, jinja::Budget& budget, bool is_message = false) {
  const jinja::Level level(budget);
  budget.step();
  jinja::Value value = jinja::None{};
  if (json.is_object()) {
    auto object = std::make_shared<jinja::Dict>(budget);
    for (const auto& [key, held] : json.items()) {
      object->put(
          text_of_conversation(key, budget),
          is_message && is_known_role(key, held)
              ? jinja::Value::constant(held.get<std::string>())
              : value_of(held, budget));
    }
    value = std::shared_ptr<const jinja::Dict>(std::move(object));
  } else if (json.is_array()) {
    std::vector<jinja::Value> items;
    items.reserve(json.size());
    for (const ChatJson& item : json)
      items.push_back(value_of(item, budget));
    value = jinja::list_value(std::move(items), budget);
  } else if (json.is_string()) {
    value = text_of_conversation(json.get_ref<const std::string&>(), budget);
  } else if (json.is_boolean()) {
    value = json.get<bool>();
  } else if (json.is_number_float()) {
    value = json.get<double>();
  } else if (json.is_number()) {
    if (json.is_number_unsigned() &&
        json.get<std::uint64_t>() >= std::uint64_t{1} << 63)
      jinja::fault("the conversation holds a whole number beyond 64 bits");
    value = json.get<std::int64_t>();
  } else if (!json.is_null()) {
    jinja::fault("the conversation holds a value that JSON does not have");
  }
  return value.set_from_conversation();
}

jinja::Value messages_value(const ChatJson& messages, jinja::Budget& budget) {
  std::vector<jinja::Value> items;
  for (const ChatJson& message : messages)
    items.push_back(value_of(message, budget, true));
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
    run.set_variable(name, value_of(value, run.budget()));
  run.set_variable(
      "messages", messages_value(conversation.messages, run.budget()));
  run.set_variable("tools", value_of(conversation.tools, run.budget()));
  run.set_variable("documents", value_of(conversation.documents, run.budget()));
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

// The text of the last block that has one.
ChatJson* last_text(ChatJson& blocks) {
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    if (block->is_object() && block->contains("text")) return &(*block)["text"];
  }
  return nullptr;
}

// continue_final_message: a tag is put after the last message's text, the
// conversation is rendered, and the result ends where the tag begins.
//
// `text` takes the message's text: `field` of the last message, or the last
// block with a "text" of the list in it. Fault if there is none, or if the
// template's source does not mention the field.
ChatJson tagged(
    const ChatJson& messages,
    const std::string& field,
    const std::string& source,
    std::string& text) {
  ChatJson result = messages;
  ChatJson& last = result.back();
  ChatJson* place = nullptr;
  if (last.is_object() && last.contains(field)) place = &last[field];
  if (place == nullptr || place->is_null())
    jinja::fault("the last message has no {} to continue", quote_text(field));
  if (source.find(field) == std::string::npos) {
    jinja::fault(
        "the template does not use {}, which is to be continued",
        quote_text(field));
  }
  if (place->is_array()) place = last_text(*place);
  if (place == nullptr || !place->is_string()) {
    jinja::fault(
        "the last message has no text to continue in {}", quote_text(field));
  }
  text = place->get<std::string>();
  *place = text + std::string(kTag);
  return result;
}

// The rendered text up to the tag; without the white space before it if the
// template trims the message. Fault if the message or tag is not in it.
jinja::MarkedText cut(
    const jinja::MarkedText& rendered, std::string_view message) {
  const std::string_view bytes(rendered.bytes());
  message = message.substr(0, jinja::end_without_space(message));
  message = message.substr(jinja::skip_space(message, 0));
  const std::size_t tag = bytes.rfind(kTagWord);
  if (tag == std::string::npos || bytes.find(message) == std::string::npos) {
    jinja::fault(
        "the template leaves out parts of the last message, which is to be "
        "continued: {}",
        quote_text(message));
  }
  const bool keeps_space = bytes.substr(tag).starts_with(kTag);
  const std::size_t end =
      keeps_space ? tag : jinja::end_without_space(bytes.substr(0, tag));
  return rendered.part(0, end);
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
    std::string text;
    Conversation continued = conversation;
    continued.messages =
        tagged(conversation.messages, options.continued_field, source_, text);
    set_variables(run, continued, options);
    return pieces_of(cut(jinja::run_program(*program_, run), text));
  } catch (const jinja::Fault& error) {
    const int line = error.line() > 0 ? error.line() : run.line();
    throw_caller_error("{}: line {}: {}", name_, line, error.what());
  }
}

bool ChatTemplate::marks_generation() const {
  return program_->marks_generation;
}

}  // namespace moft
