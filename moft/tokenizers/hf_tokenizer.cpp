// A tokenizer from the tokenizer.json of a Hugging Face directory.

#include "moft/core/errors.h"
#include "moft/tokenizers/bpe_model.h"
#include "moft/tokenizers/json_fields.h"
#include "moft/tokenizers/pipeline.h"
#include "moft/tokenizers/sentence_piece.h"
#include "moft/tokenizers/tokenizer.h"

namespace moft {
namespace {

// Calls use(step) for a step, or for every step of a Sequence.
template <typename Use>
void for_each_step(const JsonField& field, const char* list, Use use) {
  if (field.type() != "Sequence") {
    use(field);
    return;
  }
  const JsonField steps = field.at(list);
  for (std::size_t i = 0; i < steps.size(); ++i)
    use(steps.at(i));
}

// -- Normaliser ------------------------------------------------------------

BertNormalizer read_bert_normalizer(const JsonField& field) {
  BertNormalizer rules;
  rules.clean_text = field.flag("clean_text", true);
  rules.space_ideographs = field.flag("handle_chinese_chars", true);
  rules.lowercase = field.flag("lowercase", true);
  rules.strip_accents = field.flag("strip_accents", rules.lowercase);
  return rules;
}

std::vector<NormalizerStep> read_normalizer(const JsonField& root) {
  std::vector<NormalizerStep> steps;
  if (!root.has("normalizer")) return steps;
  for_each_step(
      root.at("normalizer"), "normalizers", [&](const JsonField& field) {
        const std::string type = field.type();
        if (type == "NFC") {
          steps.push_back(NormalForm::kNfc);
        } else if (type == "NFD") {
          steps.push_back(NormalForm::kNfd);
        } else if (type == "NFKC") {
          steps.push_back(NormalForm::kNfkc);
        } else if (type == "NFKD") {
          steps.push_back(NormalForm::kNfkd);
        } else if (type == "BertNormalizer") {
          steps.push_back(read_bert_normalizer(field));
        } else {
          field.refuse(
              "is a normalizer moft does not have (NFC, NFD, NFKC, NFKD, "
              "BertNormalizer)");
        }
      });
  return steps;
}

// -- Pre-tokeniser ---------------------------------------------------------

std::string escaped(std::string_view literal) {
  std::string pattern;
  for (const char c : literal) {
    if (std::string_view(R"(\^$.|?*+()[]{}-&#)").find(c) !=
        std::string_view::npos) {
      pattern += '\\';
    }
    pattern += c;
  }
  return pattern;
}

PreTokenizerStep read_split(const JsonField& field) {
  const JsonField pattern = field.at("pattern");
  PreTokenizerStep step =
      pattern.has("Regex")
          ? regex_step(pattern.at("Regex").text(), field.place())
          : regex_step(escaped(pattern.at("String").text()), field.place());
  const std::string behavior = field.at("behavior").text();
  const bool invert = field.flag("invert", false);
  if (behavior == "Removed") {
    step.keep_matches = invert;
    step.keep_gaps = !invert;
  } else if (behavior != "Isolated") {
    field.refuse("has a behavior moft does not have (Isolated, Removed)");
  }
  return step;
}

void read_byte_level(const JsonField& field, PreTokenizer& steps) {
  if (field.flag("add_prefix_space", true)) {
    PreTokenizerStep step;
    step.kind = PreTokenizerStep::Kind::kPrefixSpace;
    steps.push_back(step);
  }
  if (field.flag("use_regex", true)) {
    steps.push_back(regex_step(kGpt2Pattern, field.place()));
  }
}

PreTokenizer read_pre_tokenizer(const JsonField& root) {
  PreTokenizer steps;
  bool byte_level = false;
  for_each_step(
      root.at("pre_tokenizer"), "pretokenizers", [&](const JsonField& field) {
        const std::string type = field.type();
        if (byte_level) field.refuse("comes after ByteLevel");
        if (type == "ByteLevel") {
          byte_level = true;
          read_byte_level(field, steps);
        } else if (type == "Split") {
          steps.push_back(read_split(field));
        } else if (type == "Digits") {
          PreTokenizerStep step;
          step.kind = field.flag("individual_digits", false)
                          ? PreTokenizerStep::Kind::kDigits
                          : PreTokenizerStep::Kind::kDigitRuns;
          steps.push_back(step);
        } else {
          field.refuse(
              "is a pre-tokenizer moft does not have (Split, Digits, "
              "ByteLevel)");
        }
      });
  if (!byte_level) {
    root.at("pre_tokenizer").refuse("has no ByteLevel step");
  }
  return steps;
}

// -- Vocabulary and added tokens -------------------------------------------

std::vector<VocabularyEntry> read_model_vocabulary(const JsonField& model) {
  const JsonField vocab = model.at("vocab");
  if (!vocab.value().is_object()) vocab.refuse("is not an object");
  std::vector<VocabularyEntry> entries;
  entries.reserve(vocab.value().size());
  for (const auto& [written, id] : vocab.value().items()) {
    if (!id.is_number_integer()) {
      JsonField(id, vocab.place() + "." + written).refuse("is no token id");
    }
    entries.push_back({written, JsonField(id, vocab.place()).id()});
  }
  return entries;
}

std::vector<AddedToken> read_added_tokens(const JsonField& root) {
  std::vector<AddedToken> tokens;
  if (!root.has("added_tokens")) return tokens;
  const JsonField list = root.at("added_tokens");
  for (std::size_t i = 0; i < list.size(); ++i) {
    const JsonField field = list.at(i);
    AddedToken token;
    token.id = field.at("id").id();
    token.content = field.at("content").text();
    token.special = field.flag("special", false);
    token.left_strip = field.flag("lstrip", false);
    token.right_strip = field.flag("rstrip", false);
    token.single_word = field.flag("single_word", false);
    token.normalized = field.flag("normalized", !token.special);
    if (token.content.empty()) field.refuse("is an added token without text");
    tokens.push_back(std::move(token));
  }
  return tokens;
}

// The model's tokens and the added ones that are not among them.
std::shared_ptr<const Vocabulary> join_vocabulary(
    std::vector<VocabularyEntry> entries,
    const std::vector<AddedToken>& added,
    const std::string& place) {
  const Vocabulary model(entries, place);
  for (const auto& token : added) {
    const auto known = model.find(token.content);
    if (!known) {
      entries.push_back({token.content, token.id});
    } else if (*known != token.id) {
      throw_caller_error(
          "{}: token '{}' has the id {} in the model and {} in added_tokens; "
          "make them equal",
          place,
          token.content,
          *known,
          token.id);
    }
  }
  return std::make_shared<const Vocabulary>(std::move(entries), place);
}

// -- Models ----------------------------------------------------------------

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

std::vector<BpeMerge> read_merges(
    const JsonField& model, const Vocabulary& vocabulary) {
  const JsonField list = model.at("merges");
  const std::size_t count = list.size();
  std::vector<BpeMerge> merges;
  merges.reserve(count);
  for (std::size_t rank = 0; rank < count; ++rank) {
    const JsonField field(list.value()[rank], list.place());
    const auto [left, right] = read_merge(field);
    const auto left_id = vocabulary.find(left);
    const auto right_id = vocabulary.find(right);
    const auto result = vocabulary.find(left + right);
    if (!left_id || !right_id || !result) {
      field.refuse("is a merge with a token that is not in the vocabulary");
    }
    merges.push_back({*left_id, *right_id, *result});
  }
  return merges;
}

void refuse_bpe_options(const JsonField& model) {
  if (model.flag("byte_fallback", false)) {
    throw_caller_error(
        "{}: byte_fallback (Llama 2's SentencePiece form) is not supported; "
        "take a model with byte-level BPE (GPT-2, SmolLM, Llama 3, Qwen)",
        model.place());
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (model.text(key, "").empty()) continue;
    model.at(key).refuse("is set, which byte-level BPE does not know");
  }
  if (model.has("dropout") && model.value()["dropout"] != 0.0) {
    model.at("dropout").refuse("is set; remove it for inference");
  }
}

std::unique_ptr<const TokenModel> read_bpe(
    const JsonField& root, std::shared_ptr<const Vocabulary> vocabulary) {
  const JsonField model = root.at("model");
  refuse_bpe_options(model);
  const JsonField decoder = root.at("decoder");
  if (decoder.type() != "ByteLevel") {
    decoder.refuse("is not the ByteLevel decoder");
  }
  ByteBpeSpec spec;
  spec.pieces.resize(static_cast<std::size_t>(vocabulary->size()));
  for (const auto& [written, id] : model.at("vocab").value().items()) {
    spec.pieces[id.get<std::size_t>()] = bytes_of_written(written).value_or("");
  }
  spec.merges = read_merges(model, *vocabulary);
  spec.ignore_merges = model.flag("ignore_merges", false);
  spec.fuse_unknown = model.flag("fuse_unk", false);
  const std::string unknown = model.text("unk_token", "");
  if (!unknown.empty()) {
    spec.unknown = vocabulary->find(unknown);
    if (!spec.unknown) {
      model.at("unk_token").refuse("is not in the vocabulary");
    }
  }
  return std::make_unique<BpeModel>(
      std::move(vocabulary), read_pre_tokenizer(root), std::move(spec));
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

// -- Template --------------------------------------------------------------

TokenId known_token(const JsonField& field, const Vocabulary& vocabulary) {
  const TokenId id = field.id();
  if (!vocabulary.contains(id)) field.refuse("is an id without a token");
  return id;
}

void read_template(const JsonField& field, Pipeline& pipeline) {
  const JsonField single = field.at("single");
  bool after = false;
  for (std::size_t i = 0; i < single.size(); ++i) {
    const JsonField item = single.at(i);
    if (item.has("Sequence")) {
      if (after) item.refuse("places the text twice");
      after = true;
      continue;
    }
    const std::string name = item.at("SpecialToken").at("id").text();
    const JsonField ids = field.at("special_tokens").at(name.c_str()).at("ids");
    auto& side = after ? pipeline.suffix : pipeline.prefix;
    for (std::size_t k = 0; k < ids.size(); ++k) {
      side.push_back(known_token(ids.at(k), *pipeline.vocabulary));
    }
  }
  if (!after) single.refuse("is a template without the text");
}

void read_post_processor(const JsonField& root, Pipeline& pipeline) {
  if (!root.has("post_processor")) return;
  bool seen = false;
  for_each_step(
      root.at("post_processor"), "processors", [&](const JsonField& field) {
        const std::string type = field.type();
        if (type == "ByteLevel") return;  // it moves offsets, not ids
        if (seen) field.refuse("is a second template");
        seen = true;
        if (type == "TemplateProcessing") {
          read_template(field, pipeline);
        } else if (type == "BertProcessing" || type == "RobertaProcessing") {
          const auto end = field.at("sep").at(std::size_t{1});
          const auto begin = field.at("cls").at(std::size_t{1});
          pipeline.prefix = {known_token(begin, *pipeline.vocabulary)};
          pipeline.suffix = {known_token(end, *pipeline.vocabulary)};
        } else {
          field.refuse(
              "is a post-processor moft does not have (ByteLevel, "
              "TemplateProcessing, BertProcessing, RobertaProcessing)");
        }
      });
}

// -- The directory ---------------------------------------------------------

// `bos_token` and `eos_token` are a string or an object with `content`.
std::optional<TokenId> read_named_token(
    const JsonField& config, const char* key, const Vocabulary& vocabulary) {
  if (!config.has(key)) return std::nullopt;
  const JsonField field = config.at(key);
  const std::string written =
      field.value().is_object() ? field.at("content").text() : field.text();
  const auto id = vocabulary.find(written);
  if (!id) field.refuse("is not a token of tokenizer.json");
  return id;
}

void read_named_tokens(
    const std::filesystem::path& directory, Pipeline& pipeline) {
  for (const char* name :
       {"tokenizer_config.json", "special_tokens_map.json"}) {
    const auto path = directory / name;
    if (!std::filesystem::exists(path)) continue;
    const Json json = read_json_file(path);
    const JsonField config(json, path.string());
    if (!pipeline.bos) {
      pipeline.bos =
          read_named_token(config, "bos_token", *pipeline.vocabulary);
    }
    if (!pipeline.eos) {
      pipeline.eos =
          read_named_token(config, "eos_token", *pipeline.vocabulary);
    }
  }
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(
    const std::filesystem::path& directory) {
  if (prefers_sentence_piece(directory)) return load_sentence_piece(directory);
  const auto path = directory / "tokenizer.json";
  const Json json = read_json_file(path);
  const JsonField root(json, path.string());
  const JsonField model = root.at("model");
  // Old files leave the type out; merges tell BPE from WordPiece.
  const std::string type =
      model.text("type", model.has("merges") ? "BPE" : "WordPiece");
  if (type == "Unigram") {
    throw_caller_error(
        "{}: the tokenizer model 'Unigram' is read from {} alone; put the "
        "model's own beside it",
        path.string(),
        kSpieceFile);
  }
  if (type != "BPE" && type != "WordPiece") {
    throw_caller_error(
        "{}: the tokenizer model '{}' is not supported; moft reads BPE "
        "(byte-level) and WordPiece",
        path.string(),
        type);
  }
  Pipeline pipeline;
  pipeline.added = read_added_tokens(root);
  pipeline.vocabulary = join_vocabulary(
      read_model_vocabulary(model), pipeline.added, path.string());
  pipeline.normalizer = read_normalizer(root);
  pipeline.model = type == "BPE" ? read_bpe(root, pipeline.vocabulary)
                                 : read_word_piece(root, pipeline.vocabulary);
  read_post_processor(root, pipeline);
  read_named_tokens(directory, pipeline);
  return make_tokenizer(std::move(pipeline));
}

}  // namespace moft
