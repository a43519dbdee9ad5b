// Llama's tokenizer.model.
#include "moft/tokenizers/spm_model.h"

#include <algorithm>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/log.h"
#include "moft/tokenizers/gguf_spm.h"
#include "moft/tokenizers/hf_added_tokens.h"
#include "moft/tokenizers/piece_model.h"
#include "moft/tokenizers/spiece_file.h"
#include "moft/tokenizers/unigram.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestSpmFile = 1 << 26;

// Control pieces are special tokens, and so is the unknown one; user-defined
// pieces are found in the text first, too.
Json added_pieces(const std::vector<Piece>& pieces) {
  Json list = Json::array();
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    const PieceKind kind = pieces[id].kind;
    const bool special =
        kind == PieceKind::kControl || kind == PieceKind::kUnknown;
    if (!special && kind != PieceKind::kUserDefined) continue;
    list.push_back(
        {{"id", id},
         {"content", pieces[id].text},
         {"special", special},
         {"normalized", false}});
  }
  return {{"added_tokens", std::move(list)}};
}

// The token that `config` names under `key`, or the piece at `usual`.
std::optional<TokenId> named_or_usual(
    const JsonField& config,
    const char* key,
    std::int32_t usual,
    const Pipeline& pipeline) {
  const auto written = read_token_text(config, key);
  if (written && !written->empty()) {
    const auto id = pipeline.vocabulary->find(*written);
    if (!id) config.at(key).refuse("is not a token of tokenizer.model");
    return id;
  }
  if (!pipeline.vocabulary->contains(usual)) return std::nullopt;
  for (const AddedToken& token : pipeline.added) {
    if (token.id == usual && token.special) return usual;
  }
  return std::nullopt;
}

Pipeline read_spm_vocabulary(
    const SpieceFile& file, const fs::path& directory) {
  std::vector<VocabularyEntry> entries;
  for (const Piece& piece : file.pieces)
    entries.push_back({piece.text, static_cast<TokenId>(entries.size())});
  const std::string place = (directory / kSpmFile).string();
  const Json own = added_pieces(file.pieces);
  const Vocabulary pieces(entries, place);
  Pipeline pipeline;
  pipeline.added =
      read_all_added_tokens(JsonField(own, place), entries, pieces, directory);
  pipeline.vocabulary =
      join_vocabulary(std::move(entries), pipeline.added, pieces, place);
  return pipeline;
}

// Llama 3's tokenizer.model is a list of base64 lines.
bool is_tiktoken(const std::string& bytes) {
  const std::size_t space = bytes.find(' ');
  const std::size_t line = bytes.find('\n');
  return space != std::string::npos && line != std::string::npos &&
         space < line && line < 1000 && bytes[line - 1] >= '0' &&
         bytes[line - 1] <= '9' &&
         bytes.find_first_not_of("0123456789", space + 1) == line;
}

std::unique_ptr<const PieceEncoder> make_unigram(
    const SpieceFile& file, const Vocabulary& vocabulary) {
  UnigramSpec spec;
  spec.bytes = ByteTokens(vocabulary);
  for (std::size_t i = 0; i < file.pieces.size(); ++i) {
    const Piece& piece = file.pieces[i];
    const auto id = static_cast<TokenId>(i);
    const double score = piece.score;
    spec.lowest_score = i == 0 ? score : std::min(spec.lowest_score, score);
    spec.scores.push_back(score);
    if (piece.kind == PieceKind::kUnknown) spec.unknown = id;
    const bool text = piece.kind == PieceKind::kNormal ||
                      piece.kind == PieceKind::kUserDefined;
    if (text) spec.pieces.push_back({piece.text, id});
  }
  return std::make_unique<Unigram>(std::move(spec));
}

std::unique_ptr<const PieceEncoder> make_encoder(
    const SpieceFile& file,
    const Vocabulary& vocabulary,
    const std::string& place) {
  if (file.maps_characters) {
    log_warning(
        "{}: its table of characters (such as NFKC) is not applied to texts, "
        "as in transformers' LlamaTokenizer",
        place);
  }
  if (file.unigram) return make_unigram(file, vocabulary);
  GgufTokenizerData data;
  for (const Piece& piece : file.pieces) {
    data.tokens.push_back(piece.text);
    data.scores.push_back(piece.score);
    data.token_types.push_back(static_cast<std::int32_t>(piece.kind));
  }
  return make_spm_encoder(data, vocabulary, place);
}

}  // namespace

std::unique_ptr<Tokenizer> load_spm(const fs::path& directory) {
  const fs::path path = directory / kSpmFile;
  const std::string bytes = read_text(path, kLargestSpmFile);
  if (is_tiktoken(bytes)) {
    throw_caller_error(
        "{}: is a tiktoken vocabulary, which moft does not read; take the "
        "tokenizer.json of the model's Hugging Face directory",
        path.string());
  }
  const SpieceFile file =
      check_spiece_file(bytes, path.string(), SpieceUse::kDecoder);
  const fs::path config_path = directory / "tokenizer_config.json";
  const Json json = read_optional_json(config_path);
  const JsonField config(json, config_path.string());
  const bool prefix = file.adds_prefix && config.flag("add_prefix_space", true);
  Pipeline pipeline = read_spm_vocabulary(file, directory);
  PreTokenizer steps;
  const std::string space(kWrittenSpace);
  if (config.flag("legacy", true)) {
    // A space before every stretch between special tokens.
    if (prefix) pipeline.normalizer.push_back(PrependStep{space});
    pipeline.normalizer.push_back(
        ReplaceStep{.what = " ", .regex = nullptr, .by = space});
  } else {
    // A space at the beginning of the text alone.
    PreTokenizerStep& step = steps.emplace_back();
    step.kind = PreTokenizerStep::Kind::kMetaspace;
    step.prefix = prefix ? PreTokenizerStep::Prefix::kFirst
                         : PreTokenizerStep::Prefix::kNever;
    step.cut = false;
  }
  pipeline.model = std::make_unique<PieceModel>(
      pipeline.vocabulary,
      std::move(steps),
      make_encoder(file, *pipeline.vocabulary, path.string()),
      llama_decoder(/*strip=*/prefix));
  pipeline.bos = named_or_usual(config, "bos_token", file.bos, pipeline);
  pipeline.eos = named_or_usual(config, "eos_token", file.eos, pipeline);
  if (config.flag("add_bos_token", true) && pipeline.bos)
    pipeline.prefix = {*pipeline.bos};
  if (config.flag("add_eos_token", false) && pipeline.eos)
    pipeline.suffix = {*pipeline.eos};
  return make_tokenizer(std::move(pipeline));
}

}  // namespace moft
