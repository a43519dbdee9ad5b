// The model of a tokenizer.json: BPE on bytes or characters, WordPiece,
// Unigram.
#include "moft/tokenizers/hf_models.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "moft/core/errors.h"
#include "moft/tokenizers/byte_bpe.h"
#include "moft/tokenizers/char_bpe.h"
#include "moft/tokenizers/hf_steps.h"
#include "moft/tokenizers/piece_model.h"
#include "moft/tokenizers/unigram.h"

namespace moft {
namespace {

std::vector<BpeMerge> read_merge_list(
    const JsonField& model, const Vocabulary& vocabulary) {
  const JsonField list = model.at("merges");
  const std::size_t count = list.size();
  std::vector<BpeMerge> merges;
  merges.reserve(count);
  for (std::size_t rank = 0; rank < count; ++rank) {
    const JsonField field(list.value()[rank], list.place());
    const auto [left, right] = read_merge(field);
    const auto merge = find_merge(vocabulary, left, right);
    if (!merge)
      field.refuse("is a merge with a token that is not in the vocabulary");
    merges.push_back(*merge);
  }
  return merges;
}

void refuse_bpe_options(const JsonField& model) {
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (model.text(key, "").empty()) continue;
    model.at(key).refuse("is set, which moft's BPE does not have");
  }
  if (model.has("dropout") && model.value()["dropout"] != 0.0) {
    model.at("dropout").refuse("is set; remove it for inference");
  }
}

std::optional<TokenId> read_unknown(
    const JsonField& model, const Vocabulary& vocabulary) {
  const std::string unknown = model.text("unk_token", "");
  if (unknown.empty()) return std::nullopt;
  const auto id = vocabulary.find(unknown);
  if (!id) model.at("unk_token").refuse("is not in the vocabulary");
  return id;
}

std::unique_ptr<const TokenModel> read_byte_bpe(
    const JsonField& root,
    const std::shared_ptr<const Vocabulary>& vocabulary) {
  const JsonField model = root.at("model");
  if (model.flag("byte_fallback", false)) {
    model.at("byte_fallback")
        .refuse("is set beside ByteLevel, which has a token for every byte");
  }
  const JsonField decoder = root.at("decoder");
  if (decoder.type() != "ByteLevel") {
    decoder.refuse("is not the ByteLevel decoder");
  }
  ByteBpeSpec spec;
  spec.pieces.resize(static_cast<std::size_t>(vocabulary->size()));
  for (const auto& [written, id] : model.at("vocab").value().items()) {
    spec.pieces[id.get<std::size_t>()] = bytes_of_written(written).value_or("");
  }
  spec.merges = read_merge_list(model, *vocabulary);
  spec.ignore_merges = model.flag("ignore_merges", false);
  spec.fuse_unknown = model.flag("fuse_unk", false);
  spec.unknown = read_unknown(model, *vocabulary);
  return std::make_unique<PieceModel>(
      vocabulary,
      read_byte_level_pre_tokenizer(root),
      std::make_unique<ByteBpe>(std::move(spec)),
      byte_level_decoder());
}

// A special token is never the result of a merge: written text must not become
// one where special tokens are not parsed.
std::unique_ptr<const TokenModel> read_char_bpe(
    const JsonField& root, const Pipeline& pipeline) {
  const JsonField model = root.at("model");
  CharBpeSpec spec{
      .vocabulary = Vocabulary(read_model_vocabulary(model), model.place())};
  spec.merges = read_merge_list(model, spec.vocabulary);
  const auto special = special_ids(pipeline.added);
  std::erase_if(spec.merges, [&](const BpeMerge& merge) {
    return special.contains(merge.result);
  });
  spec.ignore_merges = model.flag("ignore_merges", false);
  spec.byte_fallback = model.flag("byte_fallback", false);
  spec.fuse_unknown = model.flag("fuse_unk", false);
  spec.unknown = read_unknown(model, spec.vocabulary);
  return std::make_unique<PieceModel>(
      pipeline.vocabulary,
      read_piece_pre_tokenizer(root),
      std::make_unique<CharBpe>(std::move(spec)),
      read_piece_decoder(root));
}

// Special tokens are left out: text never becomes one by its pieces.
std::unique_ptr<const TokenModel> read_unigram(
    const JsonField& root, const Pipeline& pipeline) {
  const JsonField model = root.at("model");
  const JsonField list = model.at("vocab");
  const auto special = special_ids(pipeline.added);
  UnigramSpec spec;
  spec.pieces = read_model_vocabulary(model);
  spec.lowest_score = std::numeric_limits<double>::infinity();
  for (std::size_t id = 0; id < spec.pieces.size(); ++id) {
    const Json& score = list.value()[id][1];
    const bool finite = score.is_number() && std::isfinite(score.get<double>());
    if (!finite) list.at(id).refuse("has a score that is not a finite number");
    spec.scores.push_back(score.get<double>());
    spec.lowest_score = std::min(spec.lowest_score, spec.scores.back());
  }
  const JsonField unknown = model.at("unk_id");
  spec.unknown = unknown.id();
  if (static_cast<std::size_t>(spec.unknown) >= spec.pieces.size())
    unknown.refuse("is not among the pieces");
  if (model.flag("byte_fallback", false))
    spec.bytes = ByteTokens(*pipeline.vocabulary);
  std::erase_if(spec.pieces, [&](const VocabularyEntry& piece) {
    return special.contains(piece.id) || piece.id == spec.unknown;
  });
  return std::make_unique<PieceModel>(
      pipeline.vocabulary,
      read_piece_pre_tokenizer(root),
      std::make_unique<Unigram>(std::move(spec)),
      read_piece_decoder(root));
}

std::unique_ptr<const TokenModel> read_word_piece(
    const JsonField& root, std::shared_ptr<const Vocabulary> vocabulary) {
  const JsonField model = root.at("model");
  const JsonField splitter = root.at("pre_tokenizer");
  if (splitter.type() != "BertPreTokenizer") {
    splitter.refuse("is not the BertPreTokenizer that WordPiece needs");
  }
  WordPieceSpec spec;
  const JsonField unknown = model.at("unk_token");
  const auto id = vocabulary->find(unknown.text());
  if (!id) unknown.refuse("is not in the vocabulary");
  spec.unknown = *id;
  spec.prefix = model.text("continuing_subword_prefix", "##");
  if (spec.prefix.empty()) model.refuse("has an empty prefix");
  if (model.has("max_input_chars_per_word")) {
    spec.longest_word =
        static_cast<std::size_t>(model.at("max_input_chars_per_word").id());
  }
  const JsonField decoder = root.at("decoder");
  if (decoder.type() != "WordPiece" ||
      decoder.text("prefix", "##") != spec.prefix) {
    decoder.refuse("is not the WordPiece decoder of this model");
  }
  spec.clean_up = decoder.flag("cleanup", true);
  return std::make_unique<WordPieceModel>(
      std::move(vocabulary), std::move(spec));
}

}  // namespace

std::pair<std::string, std::string> read_merge(const JsonField& field) {
  if (field.value().is_array()) {
    if (field.size() != 2) field.refuse("is not a pair of tokens");
    return {field.at(std::size_t{0}).text(), field.at(std::size_t{1}).text()};
  }
  const std::string line = field.text();
  const std::size_t cut = line.find(' ');
  if (cut == std::string::npos || line.find(' ', cut + 1) != std::string::npos)
    field.refuse("is not a pair of tokens");
  return {line.substr(0, cut), line.substr(cut + 1)};
}

std::vector<VocabularyEntry> read_model_vocabulary(const JsonField& model) {
  const JsonField vocab = model.at("vocab");
  std::vector<VocabularyEntry> entries;
  entries.reserve(vocab.value().size());
  if (vocab.value().is_array()) {
    for (std::size_t id = 0; id < vocab.size(); ++id) {
      const Json& piece = vocab.value()[id];
      if (!piece.is_array() || piece.size() != 2 || !piece[0].is_string())
        vocab.at(id).refuse("is not a piece with its score");
      entries.push_back(
          {piece[0].get<std::string>(), static_cast<TokenId>(id)});
    }
    return entries;
  }
  if (!vocab.value().is_object()) vocab.refuse("is not an object");
  for (const auto& [written, id] : vocab.value().items()) {
    if (!id.is_number_integer()) {
      JsonField(id, vocab.place() + "." + written).refuse("is not a token id");
    }
    entries.push_back({written, JsonField(id, vocab.place()).id()});
  }
  return entries;
}

std::unique_ptr<const TokenModel> read_model(
    const JsonField& root, const std::string& type, const Pipeline& pipeline) {
  const JsonField model = root.at("model");
  if (type == "Unigram") {
    if (!model.at("vocab").value().is_array())
      model.at("vocab").refuse("is not Unigram's list of pieces");
    return read_unigram(root, pipeline);
  }
  if (!model.at("vocab").value().is_object())
    model.at("vocab").refuse("is not an object");
  if (type == "WordPiece") return read_word_piece(root, pipeline.vocabulary);
  refuse_bpe_options(model);
  return is_byte_level(root) ? read_byte_bpe(root, pipeline.vocabulary)
                             : read_char_bpe(root, pipeline);
}

}  // namespace moft
