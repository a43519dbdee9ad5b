// % and format: the text between the places, the values in them.
#include "moft/chat/text_format.h"

#include "moft/chat/fault.h"
#include "moft/chat/format_spec.h"
#include "moft/chat/numbers.h"
#include "moft/chat/operators.h"
#include "moft/chat/printing.h"
#include "moft/chat/text_functions.h"
#include "moft/core/text.h"

namespace moft::jinja {

namespace {

// format % values, from left to right.
class PercentFormat {
 public:
  PercentFormat(Run& run, const Value& format, const Value& values)
      : run_(run), format_(format), values_(values) {}

  Value write() {
    const MarkedText& text = *format_.text();
    const std::string& bytes = text.bytes();
    std::size_t shown = 0;
    for (std::size_t at = bytes.find('%'); at != std::string::npos;
         at = bytes.find('%', shown)) {
      result_.append(text, shown, at);
      shown = at + 1;
      write_place(bytes, shown);
      run_.budget().will_need(static_cast<double>(result_.size()));
    }
    result_.append(text, shown, bytes.size());
    check_all_used();
    return run_.text(std::move(result_), format_.is_markup());
  }

 private:
  // After "%": moves `at` past the conversion.
  void write_place(const std::string& bytes, std::size_t& at) {
    const auto peek = [&] { return at < bytes.size() ? bytes[at] : '\0'; };
    Value named;
    if (peek() == '(') {
      const std::size_t end = bytes.find(')', at);
      if (end == std::string::npos) fault("a '%(' of the template has no ')'");
      named = named_value(bytes.substr(at + 1, end - at - 1));
      at = end + 1;
    }
    FormatSpec spec;
    spec.align = '>';
    bool zero = false;
    for (;; ++at) {
      const char flag = peek();
      if (flag == '-') spec.align = '<';
      if (flag == '+' || (flag == ' ' && spec.sign == '-')) spec.sign = flag;
      if (flag == '#') spec.alternate = true;
      if (flag == '0') zero = true;
      if (flag == '\0' ||
          std::string_view("-+ #0").find(flag) == std::string_view::npos)
        break;
    }
    spec.width = take_digits(bytes, at);
    if (peek() == '.') spec.precision = take_digits(bytes, ++at);
    if (peek() == '\0') fault("a '%' of the template has no conversion");
    const char type = bytes[at++];
    if (type == '%') {
      result_.append("%", kOwnText);
      return;
    }
    write(named.is_missing() ? next_value() : named, spec, type, zero);
  }

  static std::int64_t take_digits(const std::string& bytes, std::size_t& at) {
    std::int64_t number = 0;
    for (; at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '9'; ++at) {
      number = number * 10 + (bytes[at] - '0');
      if (number > 1'000'000'000) fault("a width of the template is too large");
    }
    return number;
  }

  Value named_value(const std::string& name) {
    uses_names_ = true;
    if (values_.dict() == nullptr) fault("'%(name)s' needs an object");
    const Value* value = values_.dict()->find(name);
    if (value == nullptr) fault("'%' has no value {}", quote_text(name));
    return *value;
  }

  Value next_value() {
    const Sequence* list = values_.sequence();
    if (list != nullptr && list->flavour == Flavour::kTuple) {
      if (used_ >= list->items.size()) fault("'%' has too few values");
      return list->items[used_++];
    }
    if (used_++ > 0) fault("'%' has too few values");
    return values_;
  }

  void check_all_used() const {
    const Sequence* list = values_.sequence();
    const bool is_tuple = list != nullptr && list->flavour == Flavour::kTuple;
    const std::size_t size = is_tuple ? list->items.size() : 1;
    const bool may_stay =
        uses_names_ ||
        (!is_tuple && (values_.dict() != nullptr || list != nullptr ||
                       values_.is_undefined()));
    if (used_ < size && !may_stay) fault("'%' has too many values");
  }

  void write(const Value& value, FormatSpec spec, char type, bool zero) {
    if (type == 's' || type == 'r') {
      MarkedText text;
      if (type == 's') text = printed(value, run_.budget());
      if (type == 'r') append_repr(text, value, run_.budget());
      const bool escape = format_.is_markup() && !value.is_markup();
      spec.type = 's';
      result_.append(
          formatted(run_, run_.text(escape ? escaped(text) : text), spec));
      return;
    }
    double real = 0;
    if (std::string_view("dixXfF").find(type) == std::string_view::npos)
      fault("the conversion '%{}' is not supported", type);
    need_defined(value);
    if (!value.number(real))
      fault("'%{}' needs a number, not a '{}'", type, type_name(value));
    const bool whole = type == 'd' || type == 'i';
    if (zero && spec.align == '>') {
      spec.align = '=';
      spec.fill = "0";
    }
    spec.type = whole ? 'd' : type;
    if (spec.precision && spec.type != 'f' && spec.type != 'F')
      fault("a precision of '%{}' is not supported", type);
    const bool truncates = whole && value.get<double>() != nullptr;
    const Value number = truncates ? Value(whole_part(real)) : value;
    result_.append(formatted(run_, number, spec));
  }

  Run& run_;
  const Value& format_;
  const Value& values_;
  MarkedText result_;
  std::size_t used_ = 0;
  bool uses_names_ = false;
};

// format.format(..).
class BraceFormat {
 public:
  BraceFormat(Run& run, const Value& format, const Arguments& arguments)
      : run_(run), format_(format), arguments_(arguments) {}

  Value write() {
    const MarkedText& text = *format_.text();
    const std::string& bytes = text.bytes();
    std::size_t shown = 0;
    for (std::size_t at = 0; at < bytes.size();) {
      const char brace = bytes[at];
      if (brace != '{' && brace != '}') {
        ++at;
        continue;
      }
      result_.append(text, shown, at);
      if (at + 1 < bytes.size() && bytes[at + 1] == brace) {
        result_.append(text, at, at + 1);
        at += 2;
      } else {
        const std::size_t end = bytes.find_first_of("{}", at + 1);
        if (brace == '}' || end == std::string::npos || bytes[end] == '{')
          fault("a brace of a format is not closed or nested");
        write_place(bytes.substr(at + 1, end - at - 1));
        at = end + 1;
      }
      shown = at;
      run_.budget().will_need(static_cast<double>(result_.size()));
    }
    result_.append(text, shown, bytes.size());
    return run_.text(std::move(result_), format_.is_markup());
  }

 private:
  void write_place(const std::string& place) {
    const std::size_t colon = place.find(':');
    const std::string spec =
        colon == std::string::npos ? "" : place.substr(colon + 1);
    std::string field = place.substr(0, colon);
    const std::size_t mark = field.find('!');
    const std::string conversion =
        mark == std::string::npos ? "" : field.substr(mark + 1);
    field = field.substr(0, mark);
    Value value = field_value(field);
    if (conversion == "r") {
      MarkedText shown;
      append_repr(shown, value, run_.budget());
      value = run_.text(std::move(shown));
    } else if (conversion == "s") {
      value = run_.text(printed(value, run_.budget()));
    } else if (!conversion.empty()) {
      fault("the conversion {} is not supported", quote_text(conversion));
    }
    MarkedText text = spec.empty()
                          ? printed(value, run_.budget())
                          : formatted(run_, value, parse_format_spec(spec));
    const bool escape = format_.is_markup() && !value.is_markup();
    result_.append(escape ? escaped(text) : text);
  }

  // "", "0", "name", then .attribute and [key].
  Value field_value(const std::string& field) {
    std::size_t end = field.find_first_of(".[");
    if (end == std::string::npos) end = field.size();
    Value value = first_value(field.substr(0, end));
    for (std::size_t at = end; at < field.size();) {
      const bool is_key = field[at] == '[';
      std::size_t stop =
          is_key ? field.find(']', at) : field.find_first_of(".[", at + 1);
      if (is_key && stop == std::string::npos)
        fault("a '[' of a format is not closed");
      if (stop == std::string::npos) stop = field.size();
      const std::string name = field.substr(at + 1, stop - at - 1);
      const auto index = parse_integer(name);
      const Value key = index ? Value(*index) : Value::constant(name);
      value =
          is_key ? item_of(run_, value, key) : attribute_of(run_, value, name);
      at = stop + (is_key ? 1 : 0);
    }
    return value;
  }

  Value first_value(const std::string& name) {
    const auto number = parse_integer(name);
    if (name.empty() || number) {
      const auto place = name.empty() ? next_++ : *number;
      const auto& values = arguments_.positional;
      if (place < 0 || place >= static_cast<std::int64_t>(values.size()))
        fault("a format has too few values");
      return values[static_cast<std::size_t>(place)];
    }
    for (const auto& [key, value] : arguments_.named)
      if (key == name) return value;
    fault("a format has no value {}", quote_text(name));
  }

  Run& run_;
  const Value& format_;
  const Arguments& arguments_;
  MarkedText result_;
  std::int64_t next_ = 0;
};

}  // namespace

Value percent_format(Run& run, const Value& format, const Value& values) {
  return PercentFormat(run, format, values).write();
}

Value brace_format(Run& run, const Value& format, Arguments arguments) {
  return BraceFormat(run, format, arguments).write();
}

}  // namespace moft::jinja
