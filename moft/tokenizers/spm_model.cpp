#include "moft/tokenizers/spm_model.h"

#include <sentencepiece_processor.h>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/tokenizers/hf_parts.h"
#include "moft/tokenizers/spiece_file.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

using Processor = sentencepiece::SentencePieceProcessor;

constexpr std::uint64_t kLargestSpmFile = 1 << 26;

class SpmModel final : public TokenModel {
 public:
  // `later`, where given, encodes what is not at the start of a text.
  SpmModel(
      std::shared_ptr<const Vocabulary> vocabulary,
      std::unique_ptr<const Processor> first,
      std::unique_ptr<const Processor> later,
      TokenDecoder decoder)
      : vocabulary_(std::move(vocabulary)),
        first_(std::move(first)),
        later_(std::move(later)),
        decoder_(std::move(decoder)) {}

  void encode(
      std::string_view text,
      bool at_start,
      std::vector<TokenId>& ids) const override {
    const Processor& processor = at_start || !later_ ? *first_ : *later_;
    std::vector<int> found;
    const auto status = processor.Encode({text.data(), text.size()}, &found);
    if (!status.ok()) {
      throw_world_error(
          "SentencePiece cannot encode a text of {} bytes: {}",
          text.size(),
          status.ToString());
    }
    ids.insert(ids.end(), found.begin(), found.end());
  }

  std::string decode(std::span<const TokenId> ids) const override {
    std::vector<std::string> tokens;
    for (const TokenId id : ids)
      tokens.push_back(vocabulary_->written(id));
    return decoder_.decode(std::move(tokens));
  }

  std::string bytes(TokenId id) const override {
    return decoder_.bytes(vocabulary_->written(id));
  }

 private:
  std::shared_ptr<const Vocabulary> vocabulary_;
  std::unique_ptr<const Processor> first_;
  std::unique_ptr<const Processor> later_;
  TokenDecoder decoder_;
};

// The same model that puts no space before a text: a message that is given
// twice is merged, and this one says add_dummy_prefix: false.
std::string without_prefix(const std::string& bytes) {
  return bytes + std::string("\x1a\x02\x18\x00", 4);
}

// Control pieces are special tokens; so is the unknown one.
Json special_pieces(const std::vector<Piece>& pieces) {
  Json list = Json::array();
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    const PieceKind kind = pieces[id].kind;
    if (kind != PieceKind::kControl && kind != PieceKind::kUnknown) continue;
    list.push_back(
        {{"id", id},
         {"content", pieces[id].text},
         {"special", true},
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
  const Json own = special_pieces(file.pieces);
  Pipeline pipeline;
  pipeline.added =
      read_all_added_tokens(JsonField(own, place), entries, directory);
  const Vocabulary pieces(entries, place);
  for (const AddedToken& token : pipeline.added) {
    if (!pieces.find(token.content))
      entries.push_back({token.content, token.id});
  }
  pipeline.vocabulary =
      std::make_shared<const Vocabulary>(std::move(entries), place);
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

}  // namespace

std::unique_ptr<Tokenizer> load_spm(const fs::path& directory) {
  const fs::path path = directory / kSpmFile;
  const std::string bytes = read_text(path, kLargestSpmFile);
  refuse_lfs_pointer(bytes, path.string());
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
  const bool prefix =
      file.adds_prefix && config.flag("add_prefix_space", true);
  const bool legacy = config.flag("legacy", true);
  Pipeline pipeline = read_spm_vocabulary(file, directory);
  const std::string plain = without_prefix(bytes);
  pipeline.model = std::make_unique<SpmModel>(
      pipeline.vocabulary,
      make_spm_processor(prefix ? bytes : plain, path.string()),
      legacy || !prefix ? nullptr : make_spm_processor(plain, path.string()),
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
