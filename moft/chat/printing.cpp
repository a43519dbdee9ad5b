// One writer for Python's repr and for JSON: they differ in brackets, quotes
// and words.
#include "moft/chat/printing.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "moft/chat/text_functions.h"
#include "moft/core/utf8.h"

namespace moft::jinja {

namespace {

// repr() of a float: "1.0", "1e+16", "0.1".
std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end = std::to_chars(
      buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const std::string shortest(buffer, end.ptr);
  const int exponent = std::atoi(shortest.c_str() + shortest.find('e') + 1);
  if (exponent < -4 || exponent >= 16) return shortest;
  const auto fixed = std::to_chars(
      buffer, buffer + sizeof buffer, value, std::chars_format::fixed);
  std::string text(buffer, fixed.ptr);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::string json_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  return float_text(value);
}

// A character as JSON's escape, or two of them: halves of UTF-16.
std::string utf16_escape(std::uint32_t value) {
  if (value < 0x10000) return fmt::format("\\u{:04x}", value);
  value -= 0x10000;
  return fmt::format(
      "\\u{:04x}\\u{:04x}", 0xd800 + (value >> 10), 0xdc00 + (value & 0x3ff));
}

// The escape of a character; empty for one that is shown as it is.
std::string escape_of(char32_t value, char quote, bool json, bool ascii) {
  static constexpr std::string_view kShort = "\n\r\t\b\f";
  static constexpr std::string_view kLetters = "nrtbf";
  const std::size_t place =
      value < 0x80 ? kShort.find(static_cast<char>(value)) : kShort.npos;
  if (place < (json ? 5u : 3u)) return {'\\', kLetters[place]};
  if (value == '\\' || value == static_cast<char32_t>(quote))
    return {'\\', static_cast<char>(value)};
  const auto number = static_cast<std::uint32_t>(value);
  const bool json_escapes = number < 0x20 || (ascii && number >= 0x7f);
  if (json) return json_escapes ? utf16_escape(number) : "";
  if (is_printable(value)) return {};
  if (number < 0x100) return fmt::format("\\x{:02x}", number);
  if (number < 0x10000) return fmt::format("\\u{:04x}", number);
  return fmt::format("\\U{:08x}", number);
}

class Writer {
 public:
  Writer(bool json, const JsonStyle& style, Budget& budget)
      : json_(json), style_(style), budget_(budget) {}

  MarkedText write(const Value& value) {
    append(value, 0);
    return std::move(text_);
  }

 private:
  void append(const Value& value, std::size_t nested) {
    const Level level(budget_);
    budget_.step();
    budget_.will_need(static_cast<double>(text_.size()));
    const Marks marks = value.marks();
    if (value.text() != nullptr) {
      append_text(value);
    } else if (const Dict* object = value.dict()) {
      const auto entries = entries_of(*object);
      append_items("{", entries.size(), "}", marks, nested, [&](std::size_t i) {
        append_key(entries[i]->first);
        append_sign(style_.behind_keys, marks);
        append(entries[i]->second, nested + 1);
      });
    } else if (const Sequence* list = value.sequence()) {
      if (list->flavour > Flavour::kTuple) refuse(value);
      const bool round = list->flavour == Flavour::kTuple && !json_;
      const char* close = !round ? "]" : list->items.size() == 1 ? ",)" : ")";
      const auto append_item = [&](std::size_t i) {
        append(list->items[i], nested + 1);
      };
      append_items(
          round ? "(" : "[",
          list->items.size(),
          close,
          marks,
          nested,
          append_item);
    } else {
      text_.append(scalar(value), marks);
    }
  }

  std::vector<const Dict::Entry*> entries_of(const Dict& object) {
    std::vector<const Dict::Entry*> entries;
    for (const Dict::Entry& entry : object.entries())
      entries.push_back(&entry);
    if (!style_.sort_keys) return entries;
    std::stable_sort(
        entries.begin(), entries.end(), [&](const auto* a, const auto* b) {
          return less(a->first, b->first, budget_);
        });
    return entries;
  }

  [[noreturn]] void refuse(const Value& value) const {
    if (json_) need_defined(value);
    fault(
        "{} of a '{}' is not supported",
        json_ ? "'tojson'" : "printing",
        type_name(value));
  }

  std::string scalar(const Value& value) const {
    if (value.is_none()) return json_ ? "null" : "None";
    if (const auto* truth = value.get<bool>()) {
      if (json_) return *truth ? "true" : "false";
      return *truth ? "True" : "False";
    }
    if (const auto* whole = value.get<std::int64_t>())
      return std::to_string(*whole);
    if (const auto* real = value.get<double>())
      return json_ ? json_float(*real) : float_text(*real);
    if (value.is_undefined() && !json_) return "Undefined";
    refuse(value);
  }

  // JSON's keys are texts.
  void append_key(const Value& key) {
    if (!json_ || key.text() != nullptr) return append(key, 0);
    text_.append('"' + scalar(key) + '"', key.marks());
  }

  void append_text(const Value& value) {
    const MarkedText& text = *value.text();
    const bool is_markup = !json_ && value.is_safe();
    if (is_markup) text_.append("Markup(", kOwnText);
    const std::string& bytes = text.bytes();
    budget_.copies(bytes.size());
    const bool twofold = json_ || (bytes.find('\'') != std::string::npos &&
                                   bytes.find('"') == std::string::npos);
    const char quote = twofold ? '"' : '\'';
    const Marks marks = text.any_marks() & kFromConversation;
    text_.append({&quote, 1}, marks);
    std::size_t shown = 0;
    for (std::size_t at = 0; at < bytes.size();) {
      const CodePoint point = code_point_at(bytes, at);
      const std::string escape =
          escape_of(point.value, quote, json_, style_.ascii);
      if (!escape.empty()) {
        text_.append(text, shown, at);
        text_.append(escape, text.marks_at(at));
        shown = at + point.length;
      }
      at += point.length;
    }
    text_.append(text, shown, bytes.size());
    text_.append({&quote, 1}, marks);
    if (is_markup) text_.append(")", kOwnText);
  }

  void append_sign(const MarkedText& sign, Marks marks) {
    budget_.copies(sign.size());
    text_.append(sign.bytes(), static_cast<Marks>(sign.any_marks() | marks));
  }

  template <typename AppendItem>
  void append_items(
      std::string_view open,
      std::size_t count,
      std::string_view close,
      Marks marks,
      std::size_t nested,
      const AppendItem& append_item) {
    text_.append(open, marks);
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) append_sign(style_.between_items, marks);
      append_break(nested + 1, marks);
      append_item(i);
    }
    if (count > 0) append_break(nested, marks);
    text_.append(close, marks);
  }

  void append_break(std::size_t nested, Marks marks) {
    if (!style_.indent) return;
    budget_.copies(style_.indent->size() * nested);
    text_.append("\n", marks);
    for (std::size_t i = 0; i < nested; ++i)
      text_.append(*style_.indent);
  }

  const bool json_;
  const JsonStyle& style_;
  Budget& budget_;
  MarkedText text_;
};

}  // namespace

MarkedText printed(const Value& value, Budget& budget) {
  if (const MarkedText* text = value.text()) return *text;
  if (value.is_undefined()) return {};
  return repr(value, budget);
}

MarkedText repr(const Value& value, Budget& budget) {
  const JsonStyle plain;
  return Writer(false, plain, budget).write(value);
}

MarkedText to_json(const Value& value, const JsonStyle& style, Budget& budget) {
  return Writer(true, style, budget).write(value);
}

}  // namespace moft::jinja
