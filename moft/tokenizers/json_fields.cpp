// Fields of tokenizer files, with their places in errors.
#include "moft/tokenizers/json_fields.h"

#include <limits>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/files.h"

namespace moft {
namespace {

constexpr std::uint64_t kLargestJson = 256u << 20;

}  // namespace

Json read_json_file(const std::filesystem::path& path) {
  // Not core's strict parser, which looks at every key: it takes .3 s longer
  // on a vocabulary of 150,000 words, at every start of the program.
  const std::string text = read_text(path, kLargestJson);
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    throw_caller_error(
        "{}: is not valid JSON ({} bytes); it may be cut off: download it "
        "again",
        path.string(),
        text.size());
  }
  return json;
}

bool JsonField::has(const char* key) const {
  if (!value_->is_object()) return false;
  const auto found = value_->find(key);
  return found != value_->end() && !found->is_null();
}

JsonField JsonField::at(const char* key) const {
  if (!has(key)) {
    throw_caller_error(
        "{}: the field '{}' is missing; download the file again", place_, key);
  }
  return {*value_->find(key), place_ + "." + key};
}

JsonField JsonField::at(std::size_t index) const {
  if (!value_->is_array() || index >= value_->size()) {
    refuse("is not a list that long");
  }
  return {(*value_)[index], fmt::format("{}[{}]", place_, index)};
}

std::string JsonField::text() const {
  if (!value_->is_string()) refuse("is not a string");
  return value_->get<std::string>();
}

std::int32_t JsonField::id() const {
  if (!value_->is_number_integer()) refuse("is not a whole number");
  const bool in_range = value_->is_number_unsigned()
                            ? value_->get<std::uint64_t>() <=
                                  std::numeric_limits<std::int32_t>::max()
                            : value_->get<std::int64_t>() >= 0;
  if (!in_range) refuse("is not a token id (0 to 2147483647)");
  return value_->get<std::int32_t>();
}

std::size_t JsonField::size() const {
  if (!value_->is_array()) refuse("is not a list");
  return value_->size();
}

bool JsonField::flag(const char* key, bool otherwise) const {
  if (!has(key)) return otherwise;
  const JsonField field = at(key);
  if (!field.value_->is_boolean()) field.refuse("is neither true nor false");
  return field.value_->get<bool>();
}

std::string JsonField::text(const char* key, std::string otherwise) const {
  return has(key) ? at(key).text() : otherwise;
}

void JsonField::refuse(std::string_view what) const {
  std::string shown;  // lists and objects may be huge or nested without end
  if (value_->is_structured()) {
    shown = has("type") && value_->at("type").is_string()
                ? fmt::format("'{}'", type().substr(0, 100))
                : fmt::format("the {}", value_->type_name());
  } else {
    shown = value_->dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  if (shown.size() > 120) shown.replace(120, shown.npos, "..");
  throw_caller_error(
      "{}: {} {}; fix the file or take a model with the tokenizer of GPT-2, "
      "SmolLM, Llama, Mistral, Qwen, T5 or BERT",
      place_,
      shown,
      what);
}

}  // namespace moft
