// Added tokens, which several files of a directory may name: the ids and flags
// are those that transformers gives them.
#include "moft/tokenizers/hf_added_tokens.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "moft/core/errors.h"
#include "moft/core/log.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr std::array kTokenLists = {
    "additional_special_tokens", "extra_special_tokens"};

AddedToken plain_special(std::string content) {
  AddedToken token;
  token.content = std::move(content);
  token.special = true;
  return token;
}

// A string, or an object with `content` and flags.
AddedToken read_named(const JsonField& field) {
  if (!field.value().is_object()) return plain_special(field.text());
  AddedToken token = read_added_token(field);
  token.special = true;
  return token;
}

// The special tokens that a file names, in the order of transformers' list.
std::vector<AddedToken> read_named_tokens_of(const JsonField& config) {
  std::vector<AddedToken> tokens;
  for (const char* key : kNamedTokens) {
    if (!config.has(key)) continue;
    const JsonField field = config.at(key);
    if (field.value().is_string() && field.text().empty()) continue;
    tokens.push_back(read_named(field));
  }
  for (const char* key : kTokenLists) {
    if (!config.has(key)) continue;
    const JsonField list = config.at(key);
    if (list.value().is_object()) {  // name -> token
      for (const auto& [name, value] : list.value().items()) {
        tokens.push_back(
            read_named(JsonField(value, list.place() + "." + name)));
      }
      continue;
    }
    for (std::size_t i = 0; i < list.size(); ++i)
      tokens.push_back(read_named(list.at(i)));
  }
  return tokens;
}

// Adds tokens as `tokenizers` does: a token that the vocabulary has keeps its
// id, another gets the next one; the flags given last count.
class AddedTokenList {
 public:
  // The model's vocabulary, which must outlive this, and its number of tokens.
  AddedTokenList(const Vocabulary& model, std::size_t tokens)
      : model_(model), next_(static_cast<TokenId>(tokens)) {}

  std::optional<TokenId> find(const std::string& content) const {
    const auto added = place_of_.find(content);
    if (added != place_of_.end()) return tokens_[added->second].id;
    return model_.find(content);
  }
  TokenId id_for(const std::string& content) const {
    return find(content).value_or(next_);
  }
  bool has_added(const std::string& content) const {
    return place_of_.contains(content);
  }

  void add(AddedToken token) {
    token.id = id_for(token.content);
    next_ = std::max(next_, token.id + 1);
    const auto [place, fresh] =
        place_of_.try_emplace(token.content, tokens_.size());
    if (fresh) {
      tokens_.push_back(std::move(token));
    } else {
      tokens_[place->second] = std::move(token);
    }
  }

  std::vector<AddedToken> take() { return std::move(tokens_); }

 private:
  const Vocabulary& model_;
  TokenId next_;
  std::unordered_map<std::string, std::size_t> place_of_;
  std::vector<AddedToken> tokens_;
};

// tokenizer.json's own list.
void add_own_tokens(const JsonField& root, AddedTokenList& list) {
  if (!root.has("added_tokens")) return;
  const JsonField tokens = root.at("added_tokens");
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const JsonField field = tokens.at(i);
    AddedToken token = read_added_token(field);
    const TokenId given = field.at("id").id();
    const auto known = list.find(token.content);
    if (known && *known != given) {
      throw_caller_error(
          "{}: token '{}' has the id {} in the model and {} in added_tokens; "
          "make them equal",
          root.place(),
          token.content,
          *known,
          given);
    }
    if (list.id_for(token.content) != given) {
      throw_caller_error(
          "{}: token '{}' has the id {}, but the next id there is {}, which "
          "transformers gives it; save the tokenizer again with transformers",
          field.place(),
          token.content,
          given,
          list.id_for(token.content));
    }
    list.add(std::move(token));
  }
}

// A token of a file beside tokenizer.json.
void add_beside(
    AddedToken token, const std::string& place, AddedTokenList& to) {
  const TokenId id = to.id_for(token.content);
  if (token.id != id) {
    throw_caller_error(
        "{}: the token '{}' has the id {} there, but {} in the vocabulary; "
        "make them equal",
        place,
        token.content,
        token.id,
        id);
  }
  to.add(std::move(token));
}

// A BOS or EOS that no file gives an id would be one that no model has seen.
void check_ends(const JsonField& config, const AddedTokenList& known) {
  for (const char* key : {"bos_token", "eos_token"}) {
    const auto written = read_token_text(config, key);
    if (written && !written->empty() && !known.find(*written))
      config.at(key).refuse("is not a token of the tokenizer");
  }
}

void warn_of_unread_tokens(const fs::path& file, const AddedTokenList& known) {
  if (!fs::exists(file)) return;
  const Json json = read_json_file(file);
  if (!json.is_object()) return;
  for (const auto& [content, id] : json.items()) {
    if (known.find(content)) continue;
    log_warning(
        "{}: the token '{}' is in no other file of the tokenizer; it is not "
        "read, as in transformers, because tokenizer_config.json has "
        "added_tokens_decoder",
        file.string(),
        content);
  }
}

}  // namespace

AddedToken read_added_token(const JsonField& field) {
  AddedToken token;
  token.content = field.at("content").text();
  token.special = field.flag("special", false);
  token.left_strip = field.flag("lstrip", false);
  token.right_strip = field.flag("rstrip", false);
  token.single_word = field.flag("single_word", false);
  token.normalized = field.flag("normalized", !token.special);
  if (token.content.empty()) field.refuse("is an added token without text");
  return token;
}

std::vector<AddedToken> read_decoder_tokens(const JsonField& config) {
  const JsonField list = config.at("added_tokens_decoder");
  if (!list.value().is_object()) list.refuse("is not an object");
  std::vector<AddedToken> tokens;
  for (const auto& [key, value] : list.value().items()) {
    const JsonField field(value, list.place() + "." + key);
    const bool number = !key.empty() && key.size() < 9 &&
                        key.find_first_not_of("0123456789") == key.npos;
    if (!number) field.refuse("has a key that is not a token id");
    tokens.push_back(read_added_token(field));
    tokens.back().id = std::stoi(key);
  }
  std::sort(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) {
    return a.id < b.id;
  });
  return tokens;
}

std::vector<AddedToken> read_added_tokens_file(
    const fs::path& directory, const JsonField& config) {
  std::vector<AddedToken> tokens;
  const fs::path path = directory / "added_tokens.json";
  if (config.has("added_tokens_decoder") || !fs::exists(path)) return tokens;
  std::unordered_set<std::string> named;
  for (const char* name :
       {"tokenizer_config.json", "special_tokens_map.json"}) {
    const Json json = read_optional_json(directory / name);
    for (const AddedToken& token :
         read_named_tokens_of(JsonField(json, (directory / name).string())))
      named.insert(token.content);
  }
  const Json json = read_json_file(path);
  const JsonField file(json, path.string());
  if (!json.is_object()) file.refuse("is not an object of tokens and ids");
  for (const auto& [content, id] : json.items()) {
    AddedToken token;
    token.content = content;
    token.id = JsonField(id, path.string() + ": " + content).id();
    token.special = named.contains(content);
    token.normalized = !token.special;
    tokens.push_back(std::move(token));
  }
  std::sort(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) {
    return a.id < b.id;
  });
  return tokens;
}

std::vector<AddedToken> read_all_added_tokens(
    const JsonField& root,
    const std::vector<VocabularyEntry>& entries,
    const Vocabulary& model,
    const fs::path& directory) {
  AddedTokenList list(model, entries.size());
  add_own_tokens(root, list);
  const Json json = read_optional_json(directory / "tokenizer_config.json");
  const JsonField config(json, (directory / "tokenizer_config.json").string());
  const Json map_json =
      read_optional_json(directory / "special_tokens_map.json");
  const JsonField map(
      map_json, (directory / "special_tokens_map.json").string());
  std::vector<AddedToken> named = read_named_tokens_of(config);
  if (config.has("added_tokens_decoder")) {
    for (AddedToken& token : read_decoder_tokens(config))
      add_beside(std::move(token), config.place(), list);
    warn_of_unread_tokens(directory / "added_tokens.json", list);
  } else {
    const fs::path file = directory / "added_tokens.json";
    for (AddedToken& token : read_added_tokens_file(directory, config)) {
      // tokenizer.json's own flags count.
      if (list.has_added(token.content)) {
        token.id = token.id == *list.find(token.content) ? -1 : token.id;
      }
      if (token.id >= 0) add_beside(std::move(token), file.string(), list);
    }
    for (AddedToken& token : read_named_tokens_of(map))
      named.push_back(std::move(token));
  }
  check_ends(config, list);
  if (!config.has("added_tokens_decoder")) check_ends(map, list);
  for (AddedToken& token : named) {
    if (list.has_added(token.content)) continue;
    list.add(std::move(token));
  }
  return list.take();
}

Json read_optional_json(const fs::path& path) {
  return fs::exists(path) ? read_json_file(path) : Json::object();
}

std::optional<std::string> read_token_text(
    const JsonField& config, const char* key) {
  if (!config.has(key)) return std::nullopt;
  const JsonField field = config.at(key);
  return field.value().is_object() ? field.at("content").text() : field.text();
}

std::shared_ptr<const Vocabulary> join_vocabulary(
    std::vector<VocabularyEntry> entries,
    const std::vector<AddedToken>& added,
    const Vocabulary& model,
    const std::string& place) {
  for (const AddedToken& token : added) {
    if (!model.find(token.content))
      entries.push_back({token.content, token.id});
  }
  return std::make_shared<const Vocabulary>(std::move(entries), place);
}

}  // namespace moft
