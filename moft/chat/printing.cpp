// One writer for Python's repr and for JSON: they differ in brackets, quotes
// and words.
#include "moft/chat/printing.h"

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

// The escape of a character; empty for one that is shown as it is.
std::string escape_of(char32_t value, char quote, bool json) {
  static constexpr std::string_view kShort = "\n\r\t\b\f";
  static constexpr std::string_view kLetters = "nrtbf";
  const std::size_t place =
      value < 0x80 ? kShort.find(static_cast<char>(value)) : kShort.npos;
  if (place < (json ? 5u : 3u)) return {'\\', kLetters[place]};
  if (value == '\\' || value == static_cast<char32_t>(quote))
    return {'\\', static_cast<char>(value)};
  const auto number = static_cast<std::uint32_t>(value);
  if (json) return number < 0x20 ? fmt::format("\\u{:04x}", number) : "";
  if (is_printable(value)) return {};
  if (number < 0x100) return fmt::format("\\x{:02x}", number);
  if (number < 0x10000) return fmt::format("\\u{:04x}", number);
  return fmt::format("\\U{:08x}", number);
}

class Writer {
 public:
  Writer(bool json, std::optional<std::size_t> indent, Budget& budget)
      : json_(json), indent_(indent), budget_(budget) {}

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
      const auto& entries = object->entries();
      append_items("{", entries.size(), "}", marks, nested, [&](std::size_t i) {
        append_text(entries[i].first);
        text_.append(": ", marks);
        append(entries[i].second, nested + 1);
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

  void append_text(const Value& value) {
    const MarkedText& text =
        json_ ? *value.text() : plain_text(value, "printing");
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
      const std::string escape = escape_of(point.value, quote, json_);
      if (!escape.empty()) {
        text_.append(text, shown, at);
        text_.append(escape, text.marks_at(at));
        shown = at + point.length;
      }
      at += point.length;
    }
    text_.append(text, shown, bytes.size());
    text_.append({&quote, 1}, marks);
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
      if (i > 0) text_.append(indent_ ? "," : ", ", marks);
      append_break(nested + 1, marks);
      append_item(i);
    }
    if (count > 0) append_break(nested, marks);
    text_.append(close, marks);
  }

  void append_break(std::size_t nested, Marks marks) {
    if (!indent_) return;
    budget_.copies(*indent_ * nested);
    text_.append("\n", marks);
    text_.append(std::string(*indent_ * nested, ' '), kOwnText);
  }

  const bool json_;
  const std::optional<std::size_t> indent_;
  Budget& budget_;
  MarkedText text_;
};

}  // namespace

MarkedText printed(const Value& value, Budget& budget) {
  if (const MarkedText* text = value.text()) return *text;
  if (value.is_undefined()) return {};
  return Writer(false, std::nullopt, budget).write(value);
}

MarkedText to_json(
    const Value& value, std::optional<std::size_t> indent, Budget& budget) {
  return Writer(true, indent, budget).write(value);
}

}  // namespace moft::jinja
