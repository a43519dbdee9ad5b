// A tokenizer from the tokenizer.json of a Hugging Face directory.

#include "moft/tokenizers/hf_tokenizer.h"

#include "moft/core/errors.h"
#include "moft/tokenizers/hf_added_tokens.h"
#include "moft/tokenizers/hf_models.h"
#include "moft/tokenizers/hf_steps.h"
#include "moft/tokenizers/sentence_piece.h"
#include "moft/tokenizers/spm_model.h"
#include "moft/tokenizers/tokenizer.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

// -- Template --------------------------------------------------------------

TokenId known_token(const JsonField& field, const Vocabulary& vocabulary) {
  const TokenId id = field.id();
  if (!vocabulary.contains(id)) field.refuse("is an id without a token");
  return id;
}

// The ids of an item of a template that is a special token.
void add_special_token(
    const JsonField& field,
    const JsonField& item,
    const Vocabulary& vocabulary,
    std::vector<TokenId>& side) {
  const std::string name = item.at("SpecialToken").at("id").text();
  const JsonField ids = field.at("special_tokens").at(name.c_str()).at("ids");
  for (std::size_t k = 0; k < ids.size(); ++k)
    side.push_back(known_token(ids.at(k), vocabulary));
}

// None where the texts come in another order or segments are numbered in
// another way than BERT's.
std::optional<TextFrame> read_pair_template(
    const JsonField& field, const Vocabulary& vocabulary) {
  if (!field.has("pair")) return std::nullopt;
  const JsonField pair = field.at("pair");
  TextFrame frame;
  int texts = 0;  // passed so far
  for (std::size_t i = 0; i < pair.size(); ++i) {
    const JsonField item = pair.at(i);
    const bool text = item.has("Sequence");
    const JsonField part = item.at(text ? "Sequence" : "SpecialToken");
    const bool segment = part.has("type_id") && part.at("type_id").id() != 0;
    if (text) {
      if (part.at("id").text() != (texts == 0 ? "A" : "B")) return std::nullopt;
      if (++texts == 2) frame.second_segment = segment;
    } else {
      auto& side = texts == 0   ? frame.before
                   : texts == 1 ? frame.between
                                : frame.after;
      add_special_token(field, item, vocabulary, side);
    }
    const bool expected = texts == 2 && frame.second_segment;
    if (segment != expected) return std::nullopt;
  }
  if (texts != 2) return std::nullopt;
  return frame;
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
    auto& side = after ? pipeline.suffix : pipeline.prefix;
    add_special_token(field, item, *pipeline.vocabulary, side);
  }
  if (!after) single.refuse("is a template without the text");
  pipeline.pair = read_pair_template(field, *pipeline.vocabulary);
}

void read_post_processor(const JsonField& root, Pipeline& pipeline) {
  if (!root.has("post_processor")) return;
  const JsonField whole = root.at("post_processor");
  bool seen = false;
  const auto read = [&](const JsonField& field) {
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
      pipeline.pair = TextFrame{
          .before = pipeline.prefix,
          .between = pipeline.suffix,
          .after = pipeline.suffix,
          .second_segment = type == "BertProcessing"};
      if (type == "RobertaProcessing") {  // <s> A </s></s> B </s>
        pipeline.pair->between.push_back(pipeline.suffix.front());
      }
    } else {
      field.refuse(
          "is a post-processor moft does not have (ByteLevel, "
          "TemplateProcessing, BertProcessing, RobertaProcessing)");
    }
  };
  if (whole.type() != "Sequence") return read(whole);
  const JsonField steps = whole.at("processors");
  for (std::size_t i = 0; i < steps.size(); ++i)
    read(steps.at(i));
}

// -- The directory ---------------------------------------------------------

std::optional<TokenId> read_named_token(
    const JsonField& config, const char* key, const Vocabulary& vocabulary) {
  const auto written = read_token_text(config, key);
  if (!written) return std::nullopt;
  const auto id = vocabulary.find(*written);
  if (!id) config.at(key).refuse("is not a token of tokenizer.json");
  return id;
}

void read_named_tokens(const fs::path& directory, Pipeline& pipeline) {
  for (const char* name :
       {"tokenizer_config.json", "special_tokens_map.json"}) {
    const Json json = read_optional_json(directory / name);
    const JsonField config(json, (directory / name).string());
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

// transformers' LlamaTokenizer makes its own template from two keys; without
// them, and without a template in tokenizer.json, it puts the BOS first.
void apply_llama_template(
    const JsonField& root, const fs::path& directory, Pipeline& pipeline) {
  const fs::path path = directory / "tokenizer_config.json";
  const Json json = read_optional_json(path);
  const JsonField config(json, path.string());
  const std::string name = config.text("tokenizer_class", "");
  if (name != "LlamaTokenizer" && name != "LlamaTokenizerFast") return;
  const bool without = !root.has("post_processor");
  if (config.has("add_bos_token") || without) {
    pipeline.prefix.clear();
    if (config.flag("add_bos_token", true) && pipeline.bos)
      pipeline.prefix = {*pipeline.bos};
  }
  if (config.has("add_eos_token") || without) {
    pipeline.suffix.clear();
    if (config.flag("add_eos_token", false) && pipeline.eos)
      pipeline.suffix = {*pipeline.eos};
  }
}

// T5's: the end token closes every prompt.
void apply_unigram_rules(const fs::path& directory, Pipeline& pipeline) {
  const fs::path path = directory / "tokenizer_config.json";
  const Json json = read_optional_json(path);
  const JsonField config(json, path.string());
  pipeline.clean_up = config.flag("clean_up_tokenization_spaces", false);
  if (!pipeline.eos) pipeline.eos = pipeline.vocabulary->find("</s>");
  if (pipeline.eos && pipeline.suffix == std::vector<TokenId>{*pipeline.eos})
    pipeline.prompt_end = pipeline.eos;
}

// Files may say that their model reads no segments.
void read_segments(const fs::path& directory, Pipeline& pipeline) {
  if (!pipeline.pair) return;
  const fs::path path = directory / "tokenizer_config.json";
  const Json json = read_optional_json(path);
  const auto inputs = json.find("model_input_names");
  if (inputs == json.end() || !inputs->is_array()) return;
  for (const Json& input : *inputs)
    if (input == "token_type_ids") return;
  pipeline.pair->second_segment = false;
}

// A folder without tokenizer.json and tokenizer.model: what is there instead?
void refuse_other_files(const fs::path& directory) {
  for (const char* name :
       {"tekken.json",
        "vocab.json",
        "vocab.txt",
        "tokenizer.model.v3",
        "spm.model",
        "sentencepiece.bpe.model"}) {
    if (!fs::exists(directory / name)) continue;
    throw_caller_error(
        "{}: holds {} but no tokenizer.json, which moft reads; save it with "
        "transformers: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)",
        directory.string(),
        name);
  }
}

Pipeline read_tokenizer_json(const fs::path& directory) {
  const auto path = directory / "tokenizer.json";
  if (!fs::exists(path)) refuse_other_files(directory);
  const Json json = read_json_file(path);
  const JsonField root(json, path.string());
  const JsonField model = root.at("model");
  // Old files leave the type out; merges tell BPE from WordPiece.
  const std::string type =
      model.text("type", model.has("merges") ? "BPE" : "WordPiece");
  if (type != "BPE" && type != "WordPiece" && type != "Unigram") {
    throw_caller_error(
        "{}: the tokenizer model '{}' is not supported; moft reads BPE, "
        "Unigram and WordPiece",
        path.string(),
        type);
  }
  Pipeline pipeline;
  std::vector<VocabularyEntry> entries = read_model_vocabulary(model);
  {
    const Vocabulary own(entries, path.string());
    pipeline.added = read_all_added_tokens(root, entries, own, directory);
    pipeline.vocabulary =
        join_vocabulary(std::move(entries), pipeline.added, own, path.string());
  }
  pipeline.normalizer = read_normalizer(root);
  pipeline.model = read_model(root, type, pipeline);
  read_post_processor(root, pipeline);
  read_segments(directory, pipeline);
  read_named_tokens(directory, pipeline);
  apply_llama_template(root, directory, pipeline);
  if (type == "Unigram") apply_unigram_rules(directory, pipeline);
  return pipeline;
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const fs::path& directory) {
  if (prefers_sentence_piece(directory)) return load_sentence_piece(directory);
  if (fs::exists(directory / "tokenizer.json") ||
      !fs::exists(directory / kSpmFile)) {
    return make_tokenizer(read_tokenizer_json(directory));
  }
  return load_spm(directory);
}

FramedTokenizer load_framed_tokenizer(const fs::path& directory) {
  Pipeline pipeline = read_tokenizer_json(directory);
  FramedTokenizer framed;
  framed.single = {.before = pipeline.prefix, .after = pipeline.suffix};
  framed.pair = pipeline.pair;
  framed.tokenizer = make_tokenizer(std::move(pipeline));
  return framed;
}

}  // namespace moft
