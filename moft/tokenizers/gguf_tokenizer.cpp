// A tokenizer from the `tokenizer.ggml.*` metadata of a GGUF file.
#include <algorithm>
#include <unordered_map>

#include "moft/core/errors.h"
#include "moft/tokenizers/bpe_model.h"
#include "moft/tokenizers/pipeline.h"
#include "moft/tokenizers/tokenizer.h"

namespace moft {
namespace {

constexpr std::string_view kPlace = "GGUF tokenizer";

// llama.cpp's numbers.
constexpr std::int32_t kUnknownType = 2;
constexpr std::int32_t kControlType = 3;
constexpr std::int32_t kUserDefinedType = 4;

// How the families cut text. llama.cpp's names; where it and Hugging Face
// differ (Qwen's NFC), this follows Hugging Face.
struct Family {
  PreTokenizer steps;
  bool nfc = false;
  bool ignore_merges = false;
};

Family family_of(const std::string& pre) {
  Family family;
  PreTokenizerStep digits;
  digits.kind = PreTokenizerStep::Kind::kDigits;
  if (pre == "smollm") {
    family.steps = {digits, regex_step(kGpt2Pattern, kPlace)};
  } else if (pre == "gpt-2") {
    family.steps = {regex_step(kGpt2Pattern, kPlace)};
  } else if (pre == "llama-bpe") {
    family.steps = {regex_step(kLlama3Pattern, kPlace)};
    family.ignore_merges = true;
  } else if (pre == "qwen2") {
    family.steps = {regex_step(kQwen2Pattern, kPlace)};
    family.nfc = true;
  } else if (pre == "default" || pre.empty()) {
    // What llama.cpp does with files that do not say.
    family.steps = {
        regex_step(R"([\p{P}\$\+<=>\^~\|]+)", kPlace),
        regex_step(kGpt2Pattern, kPlace),
        regex_step(R"(\p{N}+)", kPlace),
        regex_step("[0-9][0-9][0-9]", kPlace)};
  } else {
    throw_caller_error(
        "{}: the pre-tokenizer '{}' is not supported; moft reads smollm, "
        "gpt-2, llama-bpe, qwen2 and default",
        kPlace,
        pre);
  }
  return family;
}

void check_shape(const GgufTokenizerData& data) {
  if (data.model != "gpt2") {
    throw_caller_error(
        "{}: the model '{}' is not supported; moft reads gpt2 (byte-level "
        "byte-pair encoding)",
        kPlace,
        data.model);
  }
  if (!data.token_types.empty() &&
      data.token_types.size() != data.tokens.size()) {
    throw_caller_error(
        "{}: {} tokens but {} token types; the file is damaged, fetch it again",
        kPlace,
        data.tokens.size(),
        data.token_types.size());
  }
  for (const auto& token : data.tokens) {
    if (!is_valid_utf8(token)) {
      throw_caller_error(
          "{}: a token is not valid UTF-8 ('{}'); the file is damaged, fetch "
          "it again",
          kPlace,
          replace_invalid_utf8(token));
    }
  }
}

TokenId checked_id(
    const Vocabulary& vocabulary, std::int32_t id, std::string_view name) {
  if (!vocabulary.contains(id)) {
    throw_caller_error(
        "{}: {} is {} but ids go from 0 to {}; mend the file's metadata",
        kPlace,
        name,
        id,
        vocabulary.size() - 1);
  }
  return id;
}

std::vector<BpeMerge> read_merges(
    const GgufTokenizerData& data, const Vocabulary& vocabulary) {
  std::vector<BpeMerge> merges;
  merges.reserve(data.merges.size());
  for (std::size_t rank = 0; rank < data.merges.size(); ++rank) {
    const std::string& line = data.merges[rank];
    // The left part may itself be a space only in files that are broken.
    const std::size_t cut = line.find(' ');
    if (cut == std::string::npos || cut == 0 || cut + 1 == line.size()) {
      throw_caller_error(
          "{}: merge {} is '{}'; it must be two tokens and a space between",
          kPlace,
          rank,
          line);
    }
    const std::string left = line.substr(0, cut);
    const std::string right = line.substr(cut + 1);
    const auto left_id = vocabulary.find(left);
    const auto right_id = vocabulary.find(right);
    const auto result = vocabulary.find(left + right);
    if (!left_id || !right_id || !result) {
      throw_caller_error(
          "{}: merge {} ('{}') names a token that is not in the vocabulary; "
          "the file is damaged, fetch it again",
          kPlace,
          rank,
          line);
    }
    merges.push_back({*left_id, *right_id, *result});
  }
  return merges;
}

}  // namespace

std::unique_ptr<Tokenizer> make_tokenizer(const GgufTokenizerData& data) {
  check_shape(data);
  Family family = family_of(data.pre);
  std::vector<VocabularyEntry> entries;
  entries.reserve(data.tokens.size());
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    entries.push_back({data.tokens[id], static_cast<TokenId>(id)});
  }
  Pipeline pipeline;
  pipeline.vocabulary =
      std::make_shared<const Vocabulary>(std::move(entries), kPlace);
  const Vocabulary& vocabulary = *pipeline.vocabulary;

  ByteBpeSpec spec;
  spec.ignore_merges = family.ignore_merges;
  spec.merges = read_merges(data, vocabulary);
  spec.pieces.resize(data.tokens.size());
  for (std::size_t i = 0; i < data.tokens.size(); ++i) {
    const std::int32_t type =
        data.token_types.empty() ? 1 : data.token_types[i];
    const bool special = type == kControlType || type == kUnknownType;
    if (special || type == kUserDefinedType) {
      AddedToken token;
      token.id = static_cast<TokenId>(i);
      token.content = data.tokens[i];
      token.special = special;
      pipeline.added.push_back(std::move(token));
    } else {
      spec.pieces[i] = bytes_of_written(data.tokens[i]).value_or("");
    }
  }
  pipeline.model = std::make_unique<BpeModel>(
      pipeline.vocabulary, std::move(family.steps), std::move(spec));
  if (family.nfc) pipeline.normalizer.push_back(NormalForm::kNfc);
  if (data.bos) pipeline.bos = checked_id(vocabulary, *data.bos, "bos");
  if (data.eos) pipeline.eos = checked_id(vocabulary, *data.eos, "eos");
  if (data.add_bos && pipeline.bos) pipeline.prefix = {*pipeline.bos};
  if (data.add_eos && pipeline.eos) pipeline.suffix = {*pipeline.eos};
  return make_tokenizer(std::move(pipeline));
}

}  // namespace moft
