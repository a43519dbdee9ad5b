// The added tokens of a Hugging Face tokenizer directory.
// All functions throw CallerError, naming file and field, for anything not
// supported.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moft/tokenizers/json_fields.h"
#include "moft/tokenizers/pipeline.h"

namespace moft {

// The keys of tokenizer_config.json that each name one special token.
inline constexpr std::array kNamedTokens = {
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token"};

// The added tokens of tokenizer.json and of the files beside it, with the ids
// and flags that transformers gives them: tokenizer_config.json's
// added_tokens_decoder, else added_tokens.json and special_tokens_map.json,
// then the named special tokens (pad_token, additional_special_tokens ..).
// Files that give one token two ids are refused. `model` holds the `entries`.
std::vector<AddedToken> read_all_added_tokens(
    const JsonField& root,
    const std::vector<VocabularyEntry>& entries,
    const Vocabulary& model,
    const std::filesystem::path& directory);

// Flags and text of an added token; its id is left to the caller.
AddedToken read_added_token(const JsonField& field);
// `added_tokens_decoder` of tokenizer_config.json, by id.
std::vector<AddedToken> read_decoder_tokens(const JsonField& config);
// added_tokens.json beside `config` where config has no added_tokens_decoder;
// else none. Tokens that `config` names are special.
std::vector<AddedToken> read_added_tokens_file(
    const std::filesystem::path& directory, const JsonField& config);

// The file in `directory`, or an empty object.
Json read_optional_json(const std::filesystem::path& path);
// A key of tokenizer_config.json that holds a string or an object with
// `content`.
std::optional<std::string> read_token_text(
    const JsonField& config, const char* key);

// The model's entries and the added tokens that are not among them.
std::shared_ptr<const Vocabulary> join_vocabulary(
    std::vector<VocabularyEntry> entries,
    const std::vector<AddedToken>& added,
    const Vocabulary& model,
    const std::string& place);

}  // namespace moft
