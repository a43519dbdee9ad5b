// GGUF metadata from bytes that are already checked.
#include "moft/checkpoints/gguf_metadata.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <set>

#include "moft/checkpoints/gguf_cursor.h"
#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

// Calls visit(number) for every element of an integer or floating type; false
// for the other types. Checked before, hence no message of its own.
template <typename Visit>
bool visit_numbers(const GgufValue& value, Visit visit) {
  GgufCursor cursor(value.bytes, {});
  const auto all = [&]<typename T>(T) {
    for (std::uint64_t i = 0; i < value.count; ++i)
      visit(cursor.read<T>(""));
    return true;
  };
  switch (value.type) {
    case GgufType::kU8:
      return all(std::uint8_t{});
    case GgufType::kI8:
      return all(std::int8_t{});
    case GgufType::kU16:
      return all(std::uint16_t{});
    case GgufType::kI16:
      return all(std::int16_t{});
    case GgufType::kU32:
      return all(std::uint32_t{});
    case GgufType::kI32:
      return all(std::int32_t{});
    case GgufType::kU64:
      return all(std::uint64_t{});
    case GgufType::kI64:
      return all(std::int64_t{});
    case GgufType::kF32:
      return all(float{});
    case GgufType::kF64:
      return all(double{});
    default:
      return false;
  }
}

bool is_floating(GgufType type) {
  return type == GgufType::kF32 || type == GgufType::kF64;
}

[[noreturn]] void throw_type_error(
    const std::string& where,
    std::string_view key,
    const GgufValue& value,
    std::string_view wanted) {
  throw_caller_error(
      "{}: key {} holds {}{}, where {} is needed",
      where,
      quote_text(key),
      value.is_array ? "an array of " : "",
      gguf_type_name(value.type),
      wanted);
}

std::vector<std::int64_t> to_integers(
    const std::string& where, std::string_view key, const GgufValue& value) {
  std::vector<std::int64_t> integers;
  if (is_floating(value.type))
    throw_type_error(where, key, value, "a whole number");
  const bool known = visit_numbers(value, [&](auto number) {
    if (std::cmp_greater(static_cast<std::uint64_t>(number), INT64_MAX) &&
        number > 0)
      throw_caller_error(
          "{}: key {} holds {}, which is above 2^63-1",
          where,
          quote_text(key),
          number);
    integers.push_back(static_cast<std::int64_t>(number));
  });
  if (!known) throw_type_error(where, key, value, "a whole number");
  return integers;
}

std::vector<double> to_numbers(
    const std::string& where, std::string_view key, const GgufValue& value) {
  std::vector<double> numbers;
  const bool known = visit_numbers(value, [&](auto number) {
    numbers.push_back(static_cast<double>(number));
  });
  if (!known) throw_type_error(where, key, value, "a number");
  return numbers;
}

std::vector<std::string> to_texts(
    const std::string& where, std::string_view key, const GgufValue& value) {
  if (value.type != GgufType::kString)
    throw_type_error(where, key, value, "text");
  GgufCursor cursor(value.bytes, {});
  std::vector<std::string> texts;
  texts.reserve(value.count);
  for (std::uint64_t i = 0; i < value.count; ++i)
    texts.emplace_back(cursor.text(""));
  return texts;
}

std::optional<std::int32_t> special_token(
    const GgufMetadata& file, const std::string& key, std::size_t tokens) {
  if (!file.has(key)) return {};
  const std::int64_t id = file.integer(key);
  if (id < 0 || std::cmp_greater_equal(id, tokens))
    throw_caller_error(
        "{}: {} is {}, outside the {} tokens of the file",
        file.place(),
        key,
        id,
        tokens);
  return static_cast<std::int32_t>(id);
}

std::vector<std::int32_t> token_types(
    const GgufMetadata& file, const std::string& key, std::size_t tokens) {
  if (!file.has(key)) return std::vector<std::int32_t>(tokens, 1);
  const auto types = file.integers(key);
  if (types.size() != tokens)
    throw_caller_error(
        "{}: {} has {} entries for {} tokens",
        file.place(),
        key,
        types.size(),
        tokens);
  for (const auto type : types)
    if (type < 0 || type > 6)
      throw_caller_error(
          "{}: {} holds {}, and token types are 0 to 6",
          file.place(),
          key,
          type);
  return {types.begin(), types.end()};
}

}  // namespace

bool GgufMetadata::has(std::string_view key) const {
  return values_.find(key) != values_.end();
}

const GgufValue& GgufMetadata::value(
    std::string_view key, bool is_array) const {
  const auto found = values_.find(key);
  if (found == values_.end())
    throw_caller_error("{}: lacks the key {}", place(), quote_text(key));
  if (found->second.is_array != is_array)
    throw_type_error(
        place(), key, found->second, is_array ? "an array" : "one value");
  return found->second;
}

std::int64_t GgufMetadata::integer(std::string_view key) const {
  return to_integers(place(), key, value(key, /*is_array=*/false)).front();
}

double GgufMetadata::number(std::string_view key) const {
  return to_numbers(place(), key, value(key, /*is_array=*/false)).front();
}

bool GgufMetadata::boolean(std::string_view key) const {
  const GgufValue& found = value(key, /*is_array=*/false);
  if (found.type != GgufType::kBool)
    throw_type_error(place(), key, found, "a bool");
  return found.bytes.front() != std::byte{0};
}

std::string GgufMetadata::text(std::string_view key) const {
  return to_texts(place(), key, value(key, /*is_array=*/false)).front();
}

std::vector<std::string> GgufMetadata::texts(std::string_view key) const {
  return to_texts(place(), key, value(key, /*is_array=*/true));
}

std::vector<std::int64_t> GgufMetadata::integers(std::string_view key) const {
  return to_integers(place(), key, value(key, /*is_array=*/true));
}

std::vector<double> GgufMetadata::numbers(std::string_view key) const {
  return to_numbers(place(), key, value(key, /*is_array=*/true));
}

std::int64_t GgufMetadata::integer_or(
    std::string_view key, std::int64_t otherwise) const {
  return has(key) ? integer(key) : otherwise;
}

double GgufMetadata::number_or(std::string_view key, double otherwise) const {
  return has(key) ? number(key) : otherwise;
}

bool GgufMetadata::boolean_or(std::string_view key, bool otherwise) const {
  return has(key) ? boolean(key) : otherwise;
}

std::string GgufMetadata::text_or(
    std::string_view key, std::string_view otherwise) const {
  return has(key) ? text(key) : std::string(otherwise);
}

namespace {

// What files leave unsaid about their tokenizer, as llama.cpp fills it in.

// llama.cpp's number of a token that is markup, not text.
constexpr std::int32_t kControlToken = 3;

constexpr std::array<std::string_view, 11> kBosFirst = {
    "chameleon",
    "falcon-h1",
    "falcon3",
    "jina-v5-nano",
    "lfm2",
    "llama-bpe",
    "llama-v3",
    "llama3",
    "midm-2.0",
    "pixtral",
    "tekken"};

// Written forms that end a turn or a text in the models of today.
constexpr std::array<std::string_view, 18> kEnds = {
    "<end_of_turn>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|call|>",
    "<|calls|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|flush|>",
    "<|im_end|>",
    "<|return|>",
    "<EOT>",
    "[EOS]",
    "[EOT]",
    "_<EOT>"};
// Also an ordinary piece of text of many vocabularies: it counts where the
// file says that it is markup.
constexpr std::string_view kMarkupOnly = "</s>";

// Models that answer in several messages end each with <|end|> and only the
// last with <|return|> or <|call|>; llama.cpp tells them by those names.
bool ends_messages_only(const std::set<std::string_view>& found) {
  const bool calls = found.contains("<|call|>") || found.contains("<|calls|>");
  return calls && (found.contains("<|return|>") || found.contains("<|flush|>"));
}

// Whether a token of this text ends a completion whatever the metadata say.
bool ends_completions(std::string_view text, std::int32_t type) {
  if (text == kMarkupOnly) return type == kControlToken;
  return std::find(kEnds.begin(), kEnds.end(), text) != kEnds.end();
}

// `tokenizer.chat_template` as "default", `tokenizer.chat_template.<name>` by
// name.
std::map<std::string, std::string> chat_templates(const GgufMetadata& file) {
  const std::string key = "tokenizer.chat_template";
  std::map<std::string, std::string> templates;
  if (file.has(key)) templates["default"] = file.text(key);
  for (const auto& [name, value] : file.metadata()) {
    if (!name.starts_with(key + ".")) continue;
    const std::string own = name.substr(key.size() + 1);
    if (!is_plain_name(own)) {
      throw_caller_error(
          "{}: the chat template {} is not named by letters, digits, '_', '-' "
          "and '.'; rename it in the file's metadata",
          file.place(),
          quote_text(own));
    }
    templates[own] = file.text(name);
  }
  return templates;
}

// What SentencePiece's kind of tokenizer has beyond the others, with
// llama.cpp's defaults.
void read_sentence_piece(const GgufMetadata& file, GgufTokenizerData& data) {
  const std::string prefix = "tokenizer.ggml.";
  if (file.has(prefix + "scores")) {
    for (const double score : file.numbers(prefix + "scores"))
      data.scores.push_back(static_cast<float>(score));
  }
  data.unknown =
      special_token(file, prefix + "unknown_token_id", data.tokens.size());
  data.add_space_prefix = file.boolean_or(prefix + "add_space_prefix", true);
  if (!file.has(prefix + "add_bos_token")) data.add_bos = true;
}

}  // namespace

bool adds_bos_by_default(std::string_view model, std::string_view pre) {
  if (model == "llama" || model == "bert") return true;
  if (model != "gpt2") return false;
  return std::find(kBosFirst.begin(), kBosFirst.end(), pre) != kBosFirst.end();
}

GgufTokenizerData GgufMetadata::tokenizer_data() const {
  const std::string prefix = "tokenizer.ggml.";
  GgufTokenizerData data;
  data.model = text(prefix + "model");
  data.pre = text_or(prefix + "pre", "");
  data.tokens = texts(prefix + "tokens");
  const std::size_t count = data.tokens.size();
  if (has(prefix + "merges")) data.merges = texts(prefix + "merges");
  data.token_types = token_types(*this, prefix + "token_type", count);
  data.bos = special_token(*this, prefix + "bos_token_id", count);
  data.eos = special_token(*this, prefix + "eos_token_id", count);
  data.pad = special_token(*this, prefix + "padding_token_id", count);
  data.add_bos = boolean_or(
      prefix + "add_bos_token", adds_bos_by_default(data.model, data.pre));
  data.add_eos = boolean_or(prefix + "add_eos_token", false);
  data.chat_templates = chat_templates(*this);
  // Converters sometimes leave the tokens that end a turn without their mark.
  for (std::size_t id = 0; id < count; ++id)
    if (ends_completions(data.tokens[id], data.token_types[id]))
      data.token_types[id] = kControlToken;
  if (data.model == "llama") read_sentence_piece(*this, data);
  return data;
}

std::vector<std::int32_t> GgufMetadata::end_tokens() const {
  const std::string prefix = "tokenizer.ggml.";
  std::vector<std::int32_t> ends;
  if (!has(prefix + "tokens")) return ends;
  const auto tokens = texts(prefix + "tokens");
  const auto add = [&](std::int32_t id) {
    if (std::ranges::find(ends, id) == ends.end()) ends.push_back(id);
  };
  for (const char* name : {"eos_token_id", "eot_token_id", "eom_token_id"})
    if (const auto id = special_token(*this, prefix + name, tokens.size()))
      add(*id);
  const auto types = has(prefix + "token_type")
                         ? integers(prefix + "token_type")
                         : std::vector<std::int64_t>(tokens.size(), 1);
  std::set<std::string_view> found;
  std::vector<std::int32_t> known;
  for (std::size_t id = 0; id < tokens.size() && id < types.size(); ++id) {
    if (!ends_completions(tokens[id], static_cast<std::int32_t>(types[id])))
      continue;
    found.insert(tokens[id]);
    known.push_back(static_cast<std::int32_t>(id));
  }
  const bool messages = ends_messages_only(found);
  for (const std::int32_t id : known) {
    if (messages && tokens[static_cast<std::size_t>(id)] == "<|end|>") continue;
    add(id);
  }
  return ends;
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) || c == '_' || c == '-' || c == '.';
         });
}

}  // namespace moft
