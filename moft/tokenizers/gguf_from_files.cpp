// Tokenizers of Hugging Face directories in llama.cpp's terms.
#include "moft/tokenizers/gguf_from_files.h"

#include <algorithm>
#include <unordered_map>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/log.h"
#include "moft/tokenizers/chat_template_files.h"
#include "moft/tokenizers/gguf_families.h"
#include "moft/tokenizers/gguf_spm.h"
#include "moft/tokenizers/hf_added_tokens.h"
#include "moft/tokenizers/hf_models.h"
#include "moft/tokenizers/hf_steps.h"
#include "moft/tokenizers/hf_tokenizer.h"
#include "moft/tokenizers/spiece_file.h"
#include "moft/tokenizers/spm_model.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostBytes = 1 << 26;
constexpr std::int32_t kNormal = 1;
constexpr std::int32_t kUnused = 5;

[[noreturn]] void refuse_gguf(
    const std::string& place, const std::string& what) {
  throw_caller_error(
      "{}: {}, which has no counterpart in GGUF that moft writes; export the "
      "Hugging Face directory and convert it with llama.cpp",
      place,
      what);
}

bool same_step(const PreTokenizerStep& a, const PreTokenizerStep& b) {
  if (a.kind != b.kind || a.keep_matches != b.keep_matches ||
      a.keep_gaps != b.keep_gaps)
    return false;
  return a.kind != PreTokenizerStep::Kind::kRegex ||
         a.regex->text() == b.regex->text();
}

// llama.cpp's name of the way in which these steps cut a text.
std::string family_of_steps(const JsonField& root) {
  const PreTokenizer steps = read_byte_level_pre_tokenizer(root);
  const auto normalizer = read_normalizer(root);
  const bool nfc = normalizer.size() == 1 &&
                   std::holds_alternative<NormalForm>(normalizer[0]) &&
                   std::get<NormalForm>(normalizer[0]) == NormalForm::kNfc;
  const bool ignores = root.at("model").flag("ignore_merges", false);
  if (normalizer.empty() || nfc) {
    for (const std::string& name : gguf_family_list()) {
      const GgufFamily family = find_gguf_family(name).value();
      const PreTokenizer own = steps_of(family, root.place());
      const bool same =
          std::equal(
              steps.begin(), steps.end(), own.begin(), own.end(), same_step) &&
          family.nfc == nfc && family.ignore_merges == ignores;
      if (same) return name;
    }
  }
  refuse_gguf(
      root.place(), "cuts text in a way that llama.cpp has no name for");
}

// Tokens, kinds and flags by id; unused where no token has the id.
void set_tokens(
    GgufTokenizerData& data,
    const std::vector<VocabularyEntry>& entries,
    const std::vector<AddedToken>& added,
    std::int64_t size) {
  const auto count = static_cast<std::size_t>(size);
  data.tokens.resize(count);
  data.token_types.assign(count, kUnused);
  for (std::size_t id = 0; id < count; ++id)
    data.tokens[id] = fmt::format("[PAD{}]", id);
  for (const VocabularyEntry& entry : entries) {
    data.tokens[static_cast<std::size_t>(entry.id)] = entry.written;
    data.token_types[static_cast<std::size_t>(entry.id)] = kNormal;
  }
  for (const AddedToken& token : added) {
    const auto id = static_cast<std::size_t>(token.id);
    data.tokens[id] = token.content;
    data.token_types[id] = token.special ? kGgufControl : kGgufUserDefined;
  }
}

// What the tokenizer's template puts around a text, which GGUF can say of the
// begin and the end token.
void read_template(
    GgufTokenizerData& data,
    const Tokenizer& tokenizer,
    const fs::path& directory) {
  EncodeOptions plain;
  plain.add_special = false;
  const auto framed = tokenizer.encode("a");
  const auto text = tokenizer.encode("a", plain);
  const auto found =
      std::search(framed.begin(), framed.end(), text.begin(), text.end());
  const auto before = found - framed.begin();
  const auto after = std::ssize(framed) - before - std::ssize(text);
  const auto set = [&](std::optional<TokenId>& own, TokenId token) {
    if (!own) own = token;
    return *own == token;
  };
  data.add_bos = before > 0;
  data.add_eos = after > 0;
  const bool known = before >= 0 && before <= 1 && after >= 0 && after <= 1 &&
                     (before == 0 || set(data.bos, framed.front())) &&
                     (after == 0 || set(data.eos, framed.back()));
  if (known) return;
  refuse_gguf(
      directory.string(),
      "its tokenizer puts other tokens around a text than its begin and end");
}

void set_special_ids(GgufTokenizerData& data, const fs::path& directory) {
  const auto tokenizer = load_tokenizer(directory);
  data.bos = tokenizer->bos();
  data.eos = tokenizer->eos();
  read_template(data, *tokenizer, directory);
  for (const char* name :
       {"tokenizer_config.json", "special_tokens_map.json"}) {
    const Json json = read_optional_json(directory / name);
    const auto pad = read_token_text(JsonField(json, name), "pad_token");
    if (pad && !data.pad) data.pad = tokenizer->find(*pad);
  }
}

// -- SentencePiece -----------------------------------------------------------

bool prepends_space(const JsonField& root) {
  bool prepends = false;
  for (const NormalizerStep& step : read_normalizer(root)) {
    const auto* replace = std::get_if<ReplaceStep>(&step);
    const bool spaces = replace != nullptr && !replace->regex &&
                        replace->what == " " && replace->by == kWrittenSpace;
    const auto* prepend = std::get_if<PrependStep>(&step);
    const bool space = prepend != nullptr && prepend->text == kWrittenSpace;
    if (!spaces && !space)
      refuse_gguf(root.place(), "changes characters before it cuts a text");
    prepends = prepends || space;
  }
  if (!read_piece_pre_tokenizer(root).empty())
    refuse_gguf(
        root.place(), "has a pre-tokenizer beside SentencePiece's merges");
  return prepends;
}

// Scores that put merges into the file's order: of a token the negative rank of
// the first merge that makes it.
std::vector<float> scores_of(
    const JsonField& model, const GgufTokenizerData& data) {
  std::unordered_map<std::string, std::size_t> ids;
  for (std::size_t id = 0; id < data.tokens.size(); ++id)
    ids.emplace(data.tokens[id], id);
  const Json& merges = model.at("merges").value();
  std::vector<float> scores(
      data.tokens.size(), -static_cast<float>(merges.size()) - 1);
  for (std::size_t rank = merges.size(); rank-- > 0;) {
    const auto [left, right] =
        read_merge(JsonField(merges[rank], model.place()));
    const auto found = ids.find(left + right);
    if (found != ids.end()) scores[found->second] = -static_cast<float>(rank);
  }
  return scores;
}

void mark_bytes(GgufTokenizerData& data) {
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    const std::string& text = data.tokens[id];
    const bool byte = text.size() == 6 && text.starts_with("<0x") &&
                      text.back() == '>' &&
                      text.find_first_not_of("0123456789ABCDEF", 3) == 5;
    if (byte) data.token_types[id] = kGgufByte;
  }
}

void mark_unknown(
    GgufTokenizerData& data, const std::optional<std::string>& unknown) {
  const auto found =
      unknown ? std::ranges::find(data.tokens, *unknown) : data.tokens.end();
  if (found == data.tokens.end()) return;
  const auto id = found - data.tokens.begin();
  data.unknown = static_cast<std::int32_t>(id);
  data.token_types[static_cast<std::size_t>(id)] = kGgufUnknown;
}

GgufTokenizerData read_spm_file(const fs::path& directory) {
  const fs::path path = directory / kSpmFile;
  const SpieceFile file = check_spiece_file(
      read_text(path, kMostBytes), path.string(), SpieceUse::kDecoder);
  const fs::path config_path = directory / "tokenizer_config.json";
  const Json json = read_optional_json(config_path);
  const JsonField config(json, config_path.string());
  if (file.unigram) refuse_gguf(path.string(), "is a unigram model");
  if (!config.flag("legacy", true))
    refuse_gguf(config_path.string(), "legacy is false");
  std::vector<VocabularyEntry> entries;
  for (const Piece& piece : file.pieces)
    entries.push_back({piece.text, static_cast<TokenId>(entries.size())});
  GgufTokenizerData data;
  data.model = "llama";
  data.add_space_prefix =
      file.adds_prefix && config.flag("add_prefix_space", true);
  const Vocabulary pieces(entries, path.string());
  const Json none = Json::object();
  const auto added = read_all_added_tokens(
      JsonField(none, path.string()), entries, pieces, directory);
  const auto all = join_vocabulary(entries, added, pieces, path.string());
  set_tokens(data, entries, added, all->size());
  data.scores.assign(data.tokens.size(), -1000.0F);
  for (std::size_t id = 0; id < file.pieces.size(); ++id) {
    data.scores[id] = file.pieces[id].score;
    if (data.token_types[id] != kNormal) continue;
    data.token_types[id] = static_cast<std::int32_t>(file.pieces[id].kind);
  }
  return data;
}

// -- tokenizer.json ----------------------------------------------------------

GgufTokenizerData read_json_tokenizer(const fs::path& directory) {
  const fs::path path = directory / "tokenizer.json";
  const Json json = read_json_file(path);
  const JsonField root(json, path.string());
  const JsonField model = root.at("model");
  if (model.text("type", model.has("merges") ? "BPE" : "") != "BPE")
    refuse_gguf(path.string(), "is not byte-pair encoding");
  const auto entries = read_model_vocabulary(model);
  const Vocabulary own(entries, path.string());
  const auto added = read_all_added_tokens(root, entries, own, directory);
  const auto all = join_vocabulary(entries, added, own, path.string());
  GgufTokenizerData data;
  set_tokens(data, entries, added, all->size());
  if (is_byte_level(root)) {
    data.model = "gpt2";
    data.pre = family_of_steps(root);
    for (const Json& merge : model.at("merges").value()) {
      const auto [left, right] = read_merge(JsonField(merge, model.place()));
      data.merges.push_back(left + " " + right);
    }
    return data;
  }
  if (!model.flag("byte_fallback", false))
    refuse_gguf(path.string(), "has no bytes for unknown characters");
  data.model = "llama";
  data.add_space_prefix = prepends_space(root);
  data.scores = scores_of(model, data);
  mark_bytes(data);
  mark_unknown(data, read_token_text(model, "unk_token"));
  return data;
}

}  // namespace

GgufTokenizerData gguf_tokenizer_of(const fs::path& directory) {
  const bool json = fs::exists(directory / "tokenizer.json");
  if (!json && !fs::exists(directory / kSpmFile))
    refuse_gguf(
        directory.string(), "has neither tokenizer.json nor tokenizer.model");
  GgufTokenizerData data =
      json ? read_json_tokenizer(directory) : read_spm_file(directory);
  set_special_ids(data, directory);
  data.chat_templates = read_chat_templates(directory);
  return data;
}

}  // namespace moft
