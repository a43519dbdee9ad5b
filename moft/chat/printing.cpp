// Values as Python prints them.
#include "moft/chat/printing.h"

#include <fmt/format.h>

#include "moft/chat/characters.h"
#include "moft/chat/fault.h"
#include "moft/chat/loop.h"
#include "moft/chat/numbers.h"
#include "moft/core/utf8.h"

namespace moft::jinja {

namespace {

// The escape of a character that repr() does not show as it is; empty for
// others.
std::string repr_escape(char32_t value, char quote) {
  switch (value) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\\':
      return "\\\\";
    default:
      break;
  }
  if (value == static_cast<char32_t>(quote)) return std::string("\\") + quote;
  if (is_printable(value)) return {};
  const auto number = static_cast<std::uint32_t>(value);
  if (number < 0x100) return fmt::format("\\x{:02x}", number);
  if (number < 0x10000) return fmt::format("\\u{:04x}", number);
  return fmt::format("\\U{:08x}", number);
}

void append_text_repr(MarkedText& result, const MarkedText& text) {
  const std::string& bytes = text.bytes();
  const bool single = bytes.find('\'') != std::string::npos;
  const bool twofold = bytes.find('"') != std::string::npos;
  const char quote = single && !twofold ? '"' : '\'';
  const Marks marks = text.any_marks() & kFromConversation;
  result.append({&quote, 1}, marks);
  std::size_t shown = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const CodePoint point = code_point_at(bytes, at);
    const std::string escape = repr_escape(point.value, quote);
    if (!escape.empty()) {
      result.append(text, shown, at);
      result.append(escape, text.marks_at(at));
      shown = at + point.length;
    }
    at += point.length;
  }
  result.append(text, shown, bytes.size());
  result.append({&quote, 1}, marks);
}

void append_items(
    MarkedText& text,
    const Sequence& list,
    std::string_view open,
    std::string_view close,
    Marks marks,
    Budget& budget) {
  text.append(open, marks);
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) text.append(", ", marks);
    append_repr(text, list.items[i], budget);
    budget.will_need(static_cast<double>(text.size()));
  }
  text.append(close, marks);
}

void append_list(MarkedText& text, const Value& value, Budget& budget) {
  const Sequence& list = *value.sequence();
  const Marks marks = value.marks();
  switch (list.flavour) {
    case Flavour::kList:
      return append_items(text, list, "[", "]", marks, budget);
    case Flavour::kTuple:
      return append_items(
          text, list, "(", list.items.size() == 1 ? ",)" : ")", marks, budget);
    case Flavour::kRange:
      return text.append(list.range, marks);
    default:
      return append_items(
          text, list, type_name(value) + "([", "])", marks, budget);
  }
}

void append_object(MarkedText& text, const Value& value, Budget& budget) {
  const Marks marks = value.marks();
  text.append("{", marks);
  bool first = true;
  for (const auto& [key, item] : value.dict()->entries()) {
    if (!first) text.append(", ", marks);
    first = false;
    append_repr(text, key, budget);
    text.append(": ", marks);
    append_repr(text, item, budget);
    budget.will_need(static_cast<double>(text.size()));
  }
  text.append("}", marks);
}

void append_namespace(
    MarkedText& text, const Namespace& space, Budget& budget) {
  text.append("<Namespace {", kOwnText);
  bool first = true;
  for (const auto& [key, item] : space.attributes) {
    if (!first) text.append(", ", kOwnText);
    first = false;
    append_text_repr(text, MarkedText(key));
    text.append(": ", kOwnText);
    append_repr(text, item, budget);
    budget.will_need(static_cast<double>(text.size()));
  }
  text.append("}>", kOwnText);
}

}  // namespace

void append_repr(MarkedText& text, const Value& value, Budget& budget) {
  const Level level(budget);
  budget.step();
  if (const MarkedText* own = value.text()) {
    budget.copies(own->size());
    if (value.is_markup()) text.append("Markup(", kOwnText);
    append_text_repr(text, *own);
    if (value.is_markup()) text.append(")", kOwnText);
  } else if (value.sequence() != nullptr) {
    append_list(text, value, budget);
  } else if (value.dict() != nullptr) {
    append_object(text, value, budget);
  } else if (const Namespace* space = value.name_space()) {
    append_namespace(text, *space, budget);
  } else if (value.is_none()) {
    text.append("None", value.marks());
  } else if (const auto* truth = value.get<bool>()) {
    text.append(*truth ? "True" : "False", value.marks());
  } else if (const auto* whole = value.get<std::int64_t>()) {
    text.append(std::to_string(*whole), value.marks());
  } else if (const auto* real = value.get<double>()) {
    text.append(float_text(*real), value.marks());
  } else if (value.is_undefined()) {
    text.append("Undefined", kOwnText);
  } else {
    fault("a '{}' has no text", type_name(value));
  }
}

MarkedText printed(const Value& value, Budget& budget) {
  if (const MarkedText* text = value.text()) return *text;
  MarkedText text;
  if (!value.is_undefined()) append_repr(text, value, budget);
  return text;
}

}  // namespace moft::jinja
