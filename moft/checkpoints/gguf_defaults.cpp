// What GGUF files leave unsaid, as llama.cpp fills it in.
#include "moft/checkpoints/gguf_defaults.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <utility>
#include <vector>

#include "moft/checkpoints/gguf_metadata.h"
#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

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

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) || c == '_' || c == '-' || c == '.';
         });
}

// A token id under `key`, when the file has a usable one.
void add_named(
    const GgufMetadata& file,
    const std::string& key,
    std::size_t tokens,
    std::vector<std::int32_t>& ends) {
  if (!file.has(key)) return;
  const std::int64_t id = file.integer(key);
  if (id < 0 || std::cmp_greater_equal(id, tokens)) {
    throw_caller_error(
        "{}: {} is {}, outside the {} tokens of the file",
        file.place(),
        key,
        id,
        tokens);
  }
  const auto token = static_cast<std::int32_t>(id);
  if (std::find(ends.begin(), ends.end(), token) == ends.end())
    ends.push_back(token);
}

// Models that answer in several messages end each with <|end|> and only the
// last with <|return|> or <|call|>; llama.cpp tells them by those names.
bool ends_messages_only(const std::set<std::string_view>& found) {
  const bool calls = found.contains("<|call|>") || found.contains("<|calls|>");
  return calls && (found.contains("<|return|>") || found.contains("<|flush|>"));
}

}  // namespace

bool adds_bos_by_default(std::string_view model, std::string_view pre) {
  if (model == "llama" || model == "bert") return true;
  if (model != "gpt2") return false;
  return std::find(kBosFirst.begin(), kBosFirst.end(), pre) != kBosFirst.end();
}

bool ends_completions(std::string_view text, std::int32_t type) {
  if (text == kMarkupOnly) return type == kControlToken;
  return std::find(kEnds.begin(), kEnds.end(), text) != kEnds.end();
}

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

std::vector<std::int32_t> GgufMetadata::end_tokens() const {
  const std::string prefix = "tokenizer.ggml.";
  std::vector<std::int32_t> ends;
  if (!has(prefix + "tokens")) return ends;
  const auto tokens = texts(prefix + "tokens");
  for (const char* name : {"eos_token_id", "eot_token_id", "eom_token_id"})
    add_named(*this, prefix + name, tokens.size(), ends);
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
    if (std::find(ends.begin(), ends.end(), id) == ends.end())
      ends.push_back(id);
  }
  return ends;
}

}  // namespace moft
