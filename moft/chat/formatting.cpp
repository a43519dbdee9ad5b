// The text between the places, and the values in them.
#include "moft/chat/formatting.h"

#include "moft/chat/printing.h"
#include "moft/core/text.h"

namespace moft::jinja {

namespace {

MarkedText percent_value(
    Run& run, const Value& format, const Value& value, char conversion) {
  if (conversion == 's')
    return inserted_in(format.is_safe(), value, run.budget());
  if (conversion != 'd') fault("the format '%{}' is not supported", conversion);
  std::int64_t whole = 0;
  need_defined(value);
  if (!value.integer(whole))
    fault("'%d' needs a whole number, not a '{}'", type_name(value));
  return MarkedText(std::to_string(whole), value.marks());
}

const Value& brace_value(
    const std::string& field, const Arguments& arguments, std::size_t& next) {
  const auto number = parse_integer(field);
  if (field.empty() || number) {
    const auto place = number ? static_cast<std::size_t>(*number) : next++;
    if (place >= arguments.positional.size())
      fault("a format has too few values");
    return arguments.positional[place];
  }
  for (const auto& [name, value] : arguments.named)
    if (name == field) return value;
  fault("the format {} is not given or not supported", quote_text(field));
}

}  // namespace

MarkedText escaped(const MarkedText& text) {
  static constexpr std::string_view kSigns = "&<>'\"";
  static constexpr const char* kEntities[] = {
      "&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
  MarkedText result;
  std::size_t shown = 0;
  const std::string& bytes = text.bytes();
  for (std::size_t at = bytes.find_first_of(kSigns); at != std::string::npos;
       at = bytes.find_first_of(kSigns, shown)) {
    result.append(text, shown, at);
    result.append(kEntities[kSigns.find(bytes[at])], text.marks_at(at));
    shown = at + 1;
  }
  result.append(text, shown, bytes.size());
  return result;
}

MarkedText inserted_in(bool is_safe, const Value& value, Budget& budget) {
  MarkedText text = printed(value, budget);
  if (!is_safe || value.is_safe()) return text;
  budget.will_need(6 * static_cast<double>(text.size()));
  budget.copies(text.size());
  return escaped(text);
}

Value percent_format(Run& run, const Value& format, const Value& values) {
  const MarkedText& text = *format.text();
  const std::string& bytes = text.bytes();
  const Sequence* list = values.sequence();
  std::vector<Value> items = {values};
  if (list != nullptr && list->flavour == Flavour::kTuple) items = list->items;
  MarkedText result;
  std::size_t shown = 0;
  std::size_t used = 0;
  for (std::size_t at = bytes.find('%'); at != std::string::npos;
       at = bytes.find('%', shown)) {
    result.append(text, shown, at);
    shown = at + 2;
    if (shown > bytes.size()) fault("a '%' of a format has no conversion");
    if (bytes[at + 1] == '%') {
      result.append(text, at, at + 1);
      continue;
    }
    if (used == items.size()) fault("a format has too few values");
    result.append(percent_value(run, format, items[used++], bytes[at + 1]));
    run.budget().will_need(static_cast<double>(result.size()));
  }
  if (used < items.size()) fault("a format has too many values");
  result.append(text, shown, bytes.size());
  return run.text(std::move(result)).set_safe(format.is_safe());
}

Value brace_format(Run& run, const Value& format, const Arguments& arguments) {
  const MarkedText& text = *format.text();
  const std::string& bytes = text.bytes();
  MarkedText result;
  std::size_t shown = 0;
  std::size_t next = 0;
  for (std::size_t at = bytes.find_first_of("{}"); at != std::string::npos;
       at = bytes.find_first_of("{}", shown)) {
    result.append(text, shown, at);
    if (at + 1 < bytes.size() && bytes[at + 1] == bytes[at]) {
      result.append(text, at, at + 1);
      shown = at + 2;
      continue;
    }
    const std::size_t end = bytes.find('}', at);
    if (bytes[at] == '}' || end == std::string::npos)
      fault("a brace of a format is not closed");
    const std::string field = bytes.substr(at + 1, end - at - 1);
    result.append(inserted_in(
        format.is_safe(), brace_value(field, arguments, next), run.budget()));
    run.budget().will_need(static_cast<double>(result.size()));
    shown = end + 1;
  }
  result.append(text, shown, bytes.size());
  return run.text(std::move(result)).set_safe(format.is_safe());
}

}  // namespace moft::jinja
