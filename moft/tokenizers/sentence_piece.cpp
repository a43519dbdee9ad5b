// T5's tokenizer.
#include "moft/tokenizers/sentence_piece.h"

#include <unordered_set>

#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/tokenizers/added_tokens.h"
#include "moft/tokenizers/hf_added_tokens.h"
#include "moft/tokenizers/normalizer.h"
#include "moft/tokenizers/pipeline.h"
#include "moft/tokenizers/pre_tokenizer.h"
#include "moft/tokenizers/spiece_file.h"
#include "moft/tokenizers/unicode.h"
#include "moft/tokenizers/vocabulary.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestFile = 1 << 26;
constexpr std::int32_t kMostSentinels = 10000;

// Python strips the four separators below the space, too.
bool is_python_space(char32_t value) {
  return is_white_space(value) || (value >= 0x1c && value <= 0x1f);
}

class SentencePieceModel final : public TokenModel {
 public:
  using Processor = std::unique_ptr<sentencepiece::SentencePieceProcessor>;

  // `pieces`: ids below it are the file's own.
  SentencePieceModel(
      Processor processor, std::int64_t pieces, const Pipeline& pipeline)
      : processor_(std::move(processor)),
        pieces_(pieces),
        vocabulary_(pipeline.vocabulary),
        special_(special_ids(pipeline.added)) {}

  void encode(
      std::string_view text,
      bool /*at_start*/,
      std::vector<TokenId>& ids) const override {
    std::vector<int> found;
    const auto status = processor_->Encode({text.data(), text.size()}, &found);
    if (!status.ok()) {
      throw_world_error(
          "SentencePiece cannot encode a text of {} bytes: {}",
          text.size(),
          status.ToString());
    }
    ids.insert(ids.end(), found.begin(), found.end());
  }

  std::string decode(std::span<const TokenId> ids) const override {
    std::string text;
    bool first = true;
    std::vector<TokenId> run;
    const auto add = [&](std::string_view part) {
      if (!first) text += ' ';
      first = false;
      text += part;
    };
    const auto end_run = [&](bool last) {
      if (run.empty()) return;
      const std::string part = decode_run(run);
      // A run without text leaves no space before a sentinel.
      if (last || !part.empty()) add(part);
      run.clear();
    };
    for (const TokenId id : ids) {
      if (id < pieces_) {
        run.push_back(id);
        continue;
      }
      end_run(false);
      add(vocabulary_->written(id));
    }
    end_run(true);
    return text;
  }

  std::string bytes(TokenId id) const override {
    std::string bytes = vocabulary_->written(id);
    replace_in_text(bytes, kWrittenSpace, " ");
    return bytes;
  }

 private:
  std::string decode_pieces(const std::vector<std::string>& pieces) const {
    std::string text;
    const auto status = processor_->Decode(pieces, &text);
    if (!status.ok()) {
      throw_world_error(
          "SentencePiece cannot decode {} pieces: {}",
          pieces.size(),
          status.ToString());
    }
    return text;
  }

  // Ids of the file's own pieces; special ones among them (the end, padding,
  // unknown) keep their written form.
  std::string decode_run(const std::vector<TokenId>& ids) const {
    std::string text;
    std::vector<std::string> pieces;
    bool after_special = false;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      std::string written = vocabulary_->written(ids[i]);
      if (i == 0 && written.starts_with(kWrittenSpace)) {
        written = written.substr(kWrittenSpace.size());
      }
      if (special_.contains(ids[i])) {
        if (!after_special) text += ' ';
        text += decode_pieces(pieces) + written;
        pieces.clear();
        after_special = true;
      } else {
        pieces.push_back(std::move(written));
        after_special = false;
      }
    }
    text += decode_pieces(pieces);
    trim_text(text, {.left = true, .right = true}, is_python_space);
    return text;
  }

  Processor processor_;
  std::int64_t pieces_;
  std::shared_ptr<const Vocabulary> vocabulary_;
  std::unordered_set<TokenId> special_;
};

// -- Reading -----------------------------------------------------------------

std::string written_token(
    const JsonField& config, const char* key, const std::string& otherwise) {
  if (!config.has(key)) return otherwise;
  const JsonField field = config.at(key);
  return field.value().is_object() ? field.at("content").text() : field.text();
}

TokenId known_piece(
    const Vocabulary& pieces,
    const std::string& written,
    const std::string& place) {
  const auto id = pieces.find(written);
  if (id) return *id;
  throw_caller_error(
      "{}: the special token '{}' is not among the pieces; take the "
      "spiece.model that belongs to the model",
      place,
      written);
}

AddedToken special_token(TokenId id, std::string content) {
  AddedToken token;
  token.id = id;
  token.content = std::move(content);
  token.special = true;
  return token;
}

// <extra_id_0> is the last of them. Unlike the others they swallow the white
// space around them, unless tokenizer_config.json says otherwise.
void add_sentinels(
    const JsonField& config, std::int64_t pieces, std::vector<AddedToken>& to) {
  const std::int32_t count =
      config.has("extra_ids") ? config.at("extra_ids").id() : 100;
  if (count < 0 || count > kMostSentinels) {
    config.at("extra_ids").refuse("is not a plausible number of sentinels");
  }
  for (std::int32_t i = 0; i < count; ++i) {
    AddedToken token = special_token(
        static_cast<TokenId>(pieces) + count - 1 - i,
        fmt::format("<extra_id_{}>", i));
    token.left_strip = true;
    token.right_strip = true;
    to.push_back(std::move(token));
  }
}

// `added_tokens_decoder`: flags of tokens that are there, or new tokens; or
// added_tokens.json, where there is no such key.
void read_more_tokens(
    const fs::path& directory,
    const JsonField& config,
    std::vector<AddedToken>& to) {
  std::vector<AddedToken> tokens =
      config.has("added_tokens_decoder")
          ? read_decoder_tokens(config)
          : read_added_tokens_file(directory, config);
  for (AddedToken& token : tokens) {
    token.normalized = false;
    std::erase_if(
        to, [&](const AddedToken& old) { return old.id == token.id; });
    to.push_back(std::move(token));
  }
}

void refuse_other_behaviour(const JsonField& config) {
  if (!config.flag("legacy", true)) {
    config.at("legacy").refuse(
        "is false, a form of T5's tokenizer that moft does not have (true)");
  }
  if (!config.flag("add_prefix_space", true)) {
    config.at("add_prefix_space")
        .refuse(
            "is false, a form of T5's tokenizer that moft does not have "
            "(true)");
  }
}

Json read_config(const fs::path& directory) {
  return read_optional_json(directory / "tokenizer_config.json");
}

}  // namespace

bool prefers_sentence_piece(const fs::path& directory) {
  if (!fs::exists(directory / kSpieceFile)) return false;
  const Json json = read_config(directory);
  const JsonField config(json, "tokenizer_config.json");
  const std::string name = config.text("tokenizer_class", "T5Tokenizer");
  if (name != "T5Tokenizer" && name != "T5TokenizerFast") return false;
  // tokenizer.json is what transformers reads for the other form.
  return config.flag("legacy", true) ||
         !fs::exists(directory / "tokenizer.json");
}

std::unique_ptr<Tokenizer> load_sentence_piece(const fs::path& directory) {
  const fs::path path = directory / kSpieceFile;
  const std::string bytes = read_text(path, kLargestFile);
  const Json json = read_config(directory);
  const JsonField config(json, (directory / "tokenizer_config.json").string());
  refuse_other_behaviour(config);
  std::vector<VocabularyEntry> entries;
  SpieceFile file = check_spiece_file(bytes, path.string(), SpieceUse::kT5);
  for (Piece& piece : file.pieces) {
    entries.push_back(
        {std::move(piece.text), static_cast<TokenId>(entries.size())});
  }
  Pipeline parts;
  auto processor = make_spm_processor(bytes, path.string());
  const auto count = static_cast<std::int64_t>(entries.size());
  const Vocabulary pieces(entries, path.string());
  for (const auto& [key, usual] :
       {std::pair("pad_token", "<pad>"),
        std::pair("eos_token", "</s>"),
        std::pair("unk_token", "<unk>")}) {
    const std::string written = written_token(config, key, usual);
    const TokenId id = known_piece(pieces, written, path.string());
    parts.added.push_back(special_token(id, written));
    if (std::string_view(key) == "eos_token") parts.eos = id;
  }
  add_sentinels(config, count, parts.added);
  read_more_tokens(directory, config, parts.added);
  for (const AddedToken& token : parts.added) {
    const auto known = pieces.find(token.content);
    if (!known) {
      entries.push_back({token.content, token.id});
    } else if (*known != token.id) {
      throw_caller_error(
          "{}: the token '{}' has the id {} there, but {} among the pieces; "
          "make them equal",
          config.place(),
          token.content,
          token.id,
          *known);
    }
  }
  parts.vocabulary =
      std::make_shared<const Vocabulary>(std::move(entries), path.string());
  parts.model =
      std::make_unique<SentencePieceModel>(std::move(processor), count, parts);
  parts.suffix = {*parts.eos};
  parts.ends_once = true;
  parts.prompt_end = parts.eos;
  parts.clean_up = config.flag("clean_up_tokenization_spaces", false);
  return make_tokenizer(std::move(parts));
}

}  // namespace moft
