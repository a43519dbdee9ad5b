// JSON in and out, by the rules of Python's json module.
#include "moft/chat/json_values.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "moft/chat/compare.h"
#include "moft/chat/fault.h"
#include "moft/chat/numbers.h"
#include "moft/core/utf8.h"

namespace moft::jinja {

namespace {

Value conversation_text(const std::string& bytes, Budget& budget) {
  if (!is_utf8(bytes)) fault("a text of the conversation is not UTF-8");
  budget.copies(bytes.size());
  return text_value(MarkedText(bytes, kFromConversation), budget);
}

Value from_object(const ChatJson& json, Budget& budget) {
  auto object = std::make_shared<Dict>(budget);
  for (const auto& [key, value] : json.items())
    object->put(conversation_text(key, budget), from_json(value, budget));
  return std::shared_ptr<const Dict>(std::move(object));
}

Value from_array(const ChatJson& json, Budget& budget) {
  std::vector<Value> items;
  items.reserve(json.size());
  for (const ChatJson& item : json)
    items.push_back(from_json(item, budget));
  return list_value(std::move(items), budget);
}

Value from_number(const ChatJson& json) {
  if (json.is_number_float()) return json.get<double>();
  if (json.is_number_unsigned() && json.get<std::uint64_t>() >= std::uint64_t{1}
                                                                    << 63)
    fault("the conversation holds a whole number beyond 64 bits");
  return json.get<std::int64_t>();
}

std::string json_escape(char32_t value, bool ascii) {
  switch (value) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    default:
      break;
  }
  const auto number = static_cast<std::uint32_t>(value);
  if (number < 0x20) return fmt::format("\\u{:04x}", number);
  if (!ascii || number < 0x7f) return {};
  if (number < 0x10000) return fmt::format("\\u{:04x}", number);
  return fmt::format(
      "\\u{:04x}\\u{:04x}",
      0xd800 + ((number - 0x10000) >> 10),
      0xdc00 + ((number - 0x10000) & 0x3ff));
}

class Writer {
 public:
  Writer(const JsonStyle& style, Budget& budget)
      : style_(style), budget_(budget) {}

  MarkedText write(const Value& value) {
    append(value, 0);
    return std::move(text_);
  }

 private:
  void append(const Value& value, int nested) {
    const Level level(budget_);
    budget_.step();
    budget_.will_need(static_cast<double>(text_.size()));
    if (const MarkedText* text = value.text()) {
      append_text(*text);
    } else if (value.dict() != nullptr) {
      append_object(value, nested);
    } else if (const Sequence* list = value.sequence()) {
      if (list->flavour != Flavour::kList && list->flavour != Flavour::kTuple)
        refuse(value);
      append_list(value, nested);
    } else {
      text_.append(scalar(value), value.marks());
    }
  }

  [[noreturn]] static void refuse(const Value& value) {
    need_defined(value);
    fault("tojson does not write a '{}'", type_name(value));
  }

  static std::string scalar(const Value& value) {
    if (value.is_none()) return "null";
    if (const auto* truth = value.get<bool>()) return *truth ? "true" : "false";
    if (const auto* whole = value.get<std::int64_t>())
      return std::to_string(*whole);
    const auto* real = value.get<double>();
    if (real == nullptr) {
      if (value.is_undefined())
        fault("tojson does not write an undefined value");
      refuse(value);
    }
    if (std::isnan(*real)) return "NaN";
    if (std::isinf(*real)) return *real < 0 ? "-Infinity" : "Infinity";
    return float_text(*real);
  }

  void append_text(const MarkedText& text) {
    const std::string& bytes = text.bytes();
    budget_.copies(bytes.size());
    const Marks marks = text.any_marks() & kFromConversation;
    text_.append("\"", marks);
    std::size_t shown = 0;
    for (std::size_t at = 0; at < bytes.size();) {
      const CodePoint point = code_point_at(bytes, at);
      const std::string escape = json_escape(point.value, style_.ascii);
      if (!escape.empty()) {
        text_.append(text, shown, at);
        text_.append(escape, text.marks_at(at));
        shown = at + point.length;
      }
      at += point.length;
    }
    text_.append(text, shown, bytes.size());
    text_.append("\"", marks);
  }

  void append_key(const Value& key) {
    if (const MarkedText* text = key.text()) {
      append_text(*text);
      return;
    }
    if (key.sequence() != nullptr)
      fault("tojson takes no '{}' as a key", type_name(key));
    text_.append("\"" + scalar(key) + "\"", key.marks());
  }

  void append_break(int nested, Marks marks) {
    if (!style_.indent) return;
    text_.append("\n", marks);
    for (int i = 0; i < nested; ++i)
      text_.append(*style_.indent);
    budget_.copies(style_.indent->size() * static_cast<std::size_t>(nested));
  }

  void append_separator(const MarkedText& separator, Marks marks) {
    text_.append(
        separator.bytes(), static_cast<Marks>(separator.any_marks() | marks));
  }

  void append_list(const Value& value, int nested) {
    const auto& items = value.sequence()->items;
    const Marks marks = value.marks();
    text_.append("[", marks);
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) append_separator(style_.item_separator, marks);
      append_break(nested + 1, marks);
      append(items[i], nested + 1);
    }
    if (!items.empty()) append_break(nested, marks);
    text_.append("]", marks);
  }

  void append_object(const Value& value, int nested) {
    std::vector<const Dict::Entry*> entries;
    for (const Dict::Entry& entry : value.dict()->entries())
      entries.push_back(&entry);
    if (style_.sort_keys) {
      std::stable_sort(
          entries.begin(), entries.end(), [&](const auto* a, const auto* b) {
            return less(a->first, b->first, budget_);
          });
    }
    const Marks marks = value.marks();
    text_.append("{", marks);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) append_separator(style_.item_separator, marks);
      append_break(nested + 1, marks);
      append_key(entries[i]->first);
      append_separator(style_.key_separator, marks);
      append(entries[i]->second, nested + 1);
    }
    if (!entries.empty()) append_break(nested, marks);
    text_.append("}", marks);
  }

  const JsonStyle& style_;
  Budget& budget_;
  MarkedText text_;
};

}  // namespace

Value from_json(const ChatJson& json, Budget& budget) {
  const Level level(budget);
  budget.step();
  Value value = None{};
  if (json.is_object()) {
    value = from_object(json, budget);
  } else if (json.is_array()) {
    value = from_array(json, budget);
  } else if (json.is_string()) {
    value = conversation_text(json.get_ref<const std::string&>(), budget);
  } else if (json.is_boolean()) {
    value = json.get<bool>();
  } else if (json.is_number()) {
    value = from_number(json);
  } else if (!json.is_null()) {
    fault("the conversation holds a value that JSON does not have");
  }
  return value.set_from_conversation();
}

MarkedText to_json(const Value& value, const JsonStyle& style, Budget& budget) {
  return Writer(style, budget).write(value);
}

}  // namespace moft::jinja
