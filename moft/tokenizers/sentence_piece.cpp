// T5's tokenizer.
#include "moft/tokenizers/sentence_piece.h"

#include <unordered_set>

#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/tokenizers/added_tokens.h"
#include "moft/tokenizers/hf_added_tokens.h"
#include "moft/tokenizers/pre_tokenizer.h"
#include "moft/tokenizers/spiece_file.h"
#include "moft/tokenizers/unicode.h"
#include "moft/tokenizers/vocabulary.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestFile = 1 << 26;
constexpr std::int32_t kMostSentinels = 10000;

std::string_view stripped(std::string_view text) {
  // Python strips the four separators below the space, too.
  const auto is_space = [](char32_t value) {
    return is_white_space(value) || (value >= 0x1c && value <= 0x1f);
  };
  while (!text.empty()) {
    const CodePoint first = code_point_at(text, 0);
    if (!is_space(first.value)) break;
    text.remove_prefix(first.length);
  }
  while (!text.empty()) {
    std::size_t at = text.size() - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80)
      --at;
    if (!is_space(code_point_at(text, at).value)) break;
    text = text.substr(0, at);
  }
  return text;
}

struct Parts {
  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor;
  std::int64_t pieces = 0;  // ids below it are the file's own
  std::shared_ptr<const Vocabulary> vocabulary;
  std::vector<AddedToken> added;
  TokenId eos = 1;
  bool clean_up = false;
};

class SentencePieceTokenizer final : public Tokenizer {
 public:
  explicit SentencePieceTokenizer(Parts parts)
      : parts_(std::move(parts)), finder_(parts_.added) {
    for (const AddedToken& token : parts_.added) {
      if (token.special) special_.insert(token.id);
    }
  }

  std::vector<TokenId> encode(
      std::string_view text, const EncodeOptions& options) const override {
    std::vector<TokenId> ids;
    if (is_utf8(text)) {
      encode_text(text, options.parse_special, ids);
    } else {
      encode_text(replace_invalid_utf8(text), options.parse_special, ids);
    }
    const bool ended = !ids.empty() && ids.back() == parts_.eos;
    if (options.add_special && !ended) ids.push_back(parts_.eos);
    return ids;
  }

  std::string decode(
      std::span<const TokenId> ids, bool skip_special) const override {
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
      if (!parts_.vocabulary->contains(id)) continue;
      if (skip_special && is_special(id)) continue;
      if (id < parts_.pieces) {
        run.push_back(id);
        continue;
      }
      end_run(false);
      add(parts_.vocabulary->written(id));
    }
    end_run(true);
    if (parts_.clean_up) clean_up_text(text);
    return text;
  }

  std::string token_bytes(TokenId id) const override {
    if (!parts_.vocabulary->contains(id)) return {};
    std::string bytes = parts_.vocabulary->written(id);
    if (!is_special(id)) replace_in_text(bytes, kWrittenSpace, " ");
    return bytes;
  }

  bool is_special(TokenId id) const override { return special_.contains(id); }
  std::optional<TokenId> find(std::string_view token) const override {
    return parts_.vocabulary->find(token);
  }
  std::int64_t vocab_size() const override { return parts_.vocabulary->size(); }
  std::optional<TokenId> bos() const override { return std::nullopt; }
  std::optional<TokenId> eos() const override { return parts_.eos; }
  std::optional<TokenId> prompt_end() const override { return parts_.eos; }

 private:
  void encode_text(
      std::string_view text,
      bool parse_special,
      std::vector<TokenId>& ids) const {
    std::vector<int> found;
    for (const Segment& segment : finder_.split(text, parse_special)) {
      if (segment.token) {
        ids.push_back(*segment.token);
        continue;
      }
      const auto status = parts_.processor->Encode(
          {segment.text.data(), segment.text.size()}, &found);
      if (!status.ok()) {
        throw_world_error(
            "SentencePiece cannot encode a text of {} bytes: {}",
            segment.text.size(),
            status.ToString());
      }
      ids.insert(ids.end(), found.begin(), found.end());
    }
  }

  std::string decode_pieces(const std::vector<std::string>& pieces) const {
    std::string text;
    const auto status = parts_.processor->Decode(pieces, &text);
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
      std::string written = parts_.vocabulary->written(ids[i]);
      if (i == 0 && written.starts_with(kWrittenSpace)) {
        written = written.substr(kWrittenSpace.size());
      }
      if (is_special(ids[i])) {
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
    return std::string(stripped(text));
  }

  Parts parts_;
  AddedTokenFinder finder_;
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
  Parts parts;
  parts.processor = make_spm_processor(bytes, path.string());
  parts.pieces = static_cast<std::int64_t>(entries.size());
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
  add_sentinels(config, parts.pieces, parts.added);
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
  parts.clean_up = config.flag("clean_up_tokenization_spaces", false);
  return std::make_unique<SentencePieceTokenizer>(std::move(parts));
}

}  // namespace moft
