// A tokenizer from the `tokenizer.ggml.*` metadata of a GGUF file.
#include "moft/tokenizers/gguf_tokenizer.h"

#include "moft/core/errors.h"
#include "moft/tokenizers/byte_bpe.h"
#include "moft/tokenizers/gguf_families.h"
#include "moft/tokenizers/gguf_spm.h"
#include "moft/tokenizers/piece_model.h"
#include "moft/tokenizers/pipeline.h"
#include "moft/tokenizers/tokenizer.h"

namespace moft {
namespace {

constexpr std::string_view kPlace = kGgufTokenizer;

GgufFamily family_of(const std::string& pre) {
  if (auto family = find_gguf_family(pre)) return *std::move(family);
  throw_caller_error(
      "{}: the pre-tokenizer '{}' is not supported; moft reads {}; for this "
      "model take the Hugging Face directory, whose tokenizer.json says how it "
      "cuts text",
      kPlace,
      pre,
      gguf_family_names());
}

void check_shape(const GgufTokenizerData& data) {
  if (data.model != "gpt2" && data.model != "llama") {
    throw_caller_error(
        "{}: the model '{}' is not supported; moft reads gpt2 (byte-level "
        "byte-pair encoding) and llama (SentencePiece); for this model take "
        "the Hugging Face directory",
        kPlace,
        data.model);
  }
  if (!data.token_types.empty() &&
      data.token_types.size() != data.tokens.size()) {
    throw_caller_error(
        "{}: {} tokens but {} token types; the file is damaged, download it "
        "again",
        kPlace,
        data.tokens.size(),
        data.token_types.size());
  }
  for (const auto& token : data.tokens) {
    if (!is_utf8(token)) {
      throw_caller_error(
          "{}: a token is not valid UTF-8 ('{}'); the file is damaged, "
          "download it again",
          kPlace,
          replace_invalid_utf8(token));
    }
  }
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
    const auto merge =
        find_merge(vocabulary, line.substr(0, cut), line.substr(cut + 1));
    if (!merge) {
      throw_caller_error(
          "{}: merge {} ('{}') names a token that is not in the vocabulary; "
          "the file is damaged, download it again",
          kPlace,
          rank,
          line);
    }
    merges.push_back(*merge);
  }
  return merges;
}

std::unique_ptr<const TokenModel> make_byte_bpe(
    const GgufTokenizerData& data, Pipeline& pipeline) {
  GgufFamily family = family_of(data.pre);
  ByteBpeSpec spec;
  spec.ignore_merges = family.ignore_merges;
  spec.merges = read_merges(data, *pipeline.vocabulary);
  spec.pieces.resize(data.tokens.size());
  for (std::size_t i = 0; i < data.tokens.size(); ++i) {
    if (!is_added_gguf_type(gguf_token_type(data, i)))
      spec.pieces[i] = bytes_of_written(data.tokens[i]).value_or("");
  }
  if (family.nfc) pipeline.normalizer.push_back(NormalForm::kNfc);
  return std::make_unique<PieceModel>(
      pipeline.vocabulary,
      steps_of(family, kPlace),
      std::make_unique<ByteBpe>(std::move(spec)),
      byte_level_decoder());
}

}  // namespace

TokenId checked_gguf_id(
    const Vocabulary& vocabulary, std::int32_t id, std::string_view name) {
  if (!vocabulary.contains(id)) {
    throw_caller_error(
        "{}: {} is {} but ids go from 0 to {}; fix the file's metadata",
        kPlace,
        name,
        id,
        vocabulary.size() - 1);
  }
  return id;
}

std::unique_ptr<Tokenizer> make_tokenizer(const GgufTokenizerData& data) {
  check_shape(data);
  std::vector<VocabularyEntry> entries;
  entries.reserve(data.tokens.size());
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    entries.push_back({data.tokens[id], static_cast<TokenId>(id)});
  }
  Pipeline pipeline;
  pipeline.vocabulary =
      std::make_shared<const Vocabulary>(std::move(entries), kPlace);
  const Vocabulary& vocabulary = *pipeline.vocabulary;
  for (std::size_t i = 0; i < data.tokens.size(); ++i) {
    const std::int32_t type = gguf_token_type(data, i);
    if (!is_added_gguf_type(type)) continue;
    AddedToken token;
    token.id = static_cast<TokenId>(i);
    token.content = data.tokens[i];
    token.special = is_special_gguf_type(type);
    pipeline.added.push_back(std::move(token));
  }
  pipeline.bos = gguf_bos(data);
  pipeline.eos = gguf_eos(data);
  if (pipeline.bos) checked_gguf_id(vocabulary, *pipeline.bos, "bos");
  if (pipeline.eos) checked_gguf_id(vocabulary, *pipeline.eos, "eos");
  pipeline.model = data.model == "llama" ? make_gguf_spm(data, pipeline)
                                         : make_byte_bpe(data, pipeline);
  if (data.add_bos && pipeline.bos) pipeline.prefix = {*pipeline.bos};
  if (data.add_eos && pipeline.eos) pipeline.suffix = {*pipeline.eos};
  return make_tokenizer(std::move(pipeline));
}

}  // namespace moft
