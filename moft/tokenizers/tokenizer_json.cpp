// Writes tokenizer.json from GGUF metadata.
#include "moft/tokenizers/tokenizer_json.h"

#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/tokenizers/chat_template_files.h"
#include "moft/tokenizers/gguf_families.h"
#include "moft/tokenizers/gguf_spm.h"
#include "moft/tokenizers/pre_tokenizer.h"

namespace moft {
namespace {

using nlohmann::json;  // not ordered_json: its look-up is linear

json byte_level(bool use_regex) {
  return {
      {"type", "ByteLevel"},
      {"add_prefix_space", false},
      {"trim_offsets", true},
      {"use_regex", use_regex}};
}

json split(std::string_view pattern) {
  return {
      {"type", "Split"},
      {"pattern", {{"Regex", pattern}}},
      {"behavior", "Isolated"},
      {"invert", false}};
}

json pre_tokenizer(const std::string& pre) {
  const auto family = find_gguf_family(pre);
  if (!family) {
    throw_caller_error(
        "the GGUF pre-tokenizer '{}' has no counterpart in tokenizer.json; "
        "export works for {}",
        pre,
        gguf_family_names());
  }
  json steps = json::array();
  for (const GgufCut& cut : family->cuts) {
    if (cut.digits) {
      steps.push_back({{"type", "Digits"}, {"individual_digits", true}});
    } else if (cut.pattern != kGpt2Pattern || &cut != &family->cuts.back()) {
      steps.push_back(split(cut.pattern));
    }
  }
  // GPT-2's own expression, where it comes last, is ByteLevel's.
  const bool own = family->cuts.back().pattern == kGpt2Pattern;
  if (steps.empty()) return byte_level(own);
  steps.push_back(byte_level(own));
  return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

json added_tokens(const GgufTokenizerData& data) {
  json added = json::array();
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    const std::int32_t type = gguf_token_type(data, id);
    if (!is_added_gguf_type(type)) continue;
    added.push_back(
        {{"id", id},
         {"content", data.tokens[id]},
         {"single_word", false},
         {"lstrip", false},
         {"rstrip", false},
         {"normalized", false},
         {"special", is_special_gguf_type(type)}});
  }
  return added;
}

bool ignores_merges(const std::string& pre) {
  const auto family = find_gguf_family(pre);
  return family && family->ignore_merges;
}

json bpe(const GgufTokenizerData& data) {
  json vocabulary = json::object();
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    vocabulary[data.tokens[id]] = id;
  }
  return {
      {"type", "BPE"},
      {"dropout", nullptr},
      {"unk_token", nullptr},
      {"continuing_subword_prefix", nullptr},
      {"end_of_word_suffix", nullptr},
      {"fuse_unk", false},
      {"byte_fallback", false},
      {"ignore_merges", ignores_merges(data.pre)},
      {"vocab", std::move(vocabulary)},
      {"merges", data.merges}};
}

bool has_bos(const GgufTokenizerData& data) {
  return data.add_bos && data.bos;
}

// A template that puts the beginning-of-sequence token first.
json post_processor(const GgufTokenizerData& data) {
  if (!has_bos(data)) return byte_level(true);
  const std::string& token =
      data.tokens.at(static_cast<std::size_t>(*data.bos));
  const json bos = {{"SpecialToken", {{"id", token}, {"type_id", 0}}}};
  const auto text = [](const char* name, int type) {
    return json{{"Sequence", {{"id", name}, {"type_id", type}}}};
  };
  json single = json::array();
  single.push_back(bos);
  single.push_back(text("A", 0));
  json pair = single;
  pair.push_back(text("B", 1));
  return {
      {"type", "TemplateProcessing"},
      {"single", single},
      {"pair", pair},
      {"special_tokens",
       {{token,
         {{"id", token},
          {"ids", json::array({*data.bos})},
          {"tokens", json::array({token})}}}}}};
}

// -- SentencePiece -----------------------------------------------------------

json replace(std::string_view what, std::string_view by) {
  return {
      {"type", "Replace"}, {"pattern", {{"String", what}}}, {"content", by}};
}

json spm_normalizer(const GgufTokenizerData& data) {
  json steps = json::array();
  if (data.add_space_prefix)
    steps.push_back({{"type", "Prepend"}, {"prepend", kWrittenSpace}});
  steps.push_back(replace(" ", kWrittenSpace));
  return {{"type", "Sequence"}, {"normalizers", std::move(steps)}};
}

json spm_decoder(const GgufTokenizerData& data) {
  json steps = json::array();
  steps.push_back(replace(kWrittenSpace, " "));
  steps.push_back({{"type", "ByteFallback"}});
  steps.push_back({{"type", "Fuse"}});
  if (data.add_space_prefix) {
    steps.push_back(
        {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  return {{"type", "Sequence"}, {"decoders", std::move(steps)}};
}

json spm_unknown(const GgufTokenizerData& data) {
  if (data.unknown) return data.tokens.at(*data.unknown);
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    if (gguf_token_type(data, id) == kGgufUnknown) return data.tokens[id];
  }
  return nullptr;
}

json spm_bpe(const GgufTokenizerData& data) {
  json vocabulary = json::object();
  for (std::size_t id = 0; id < data.tokens.size(); ++id)
    vocabulary[data.tokens[id]] = id;
  json merges = json::array();
  for (const auto& [left, right] : spm_merges(data))
    merges.push_back({left, right});
  return {
      {"type", "BPE"},
      {"dropout", nullptr},
      {"unk_token", spm_unknown(data)},
      {"continuing_subword_prefix", nullptr},
      {"end_of_word_suffix", nullptr},
      {"fuse_unk", true},
      {"byte_fallback", true},
      {"ignore_merges", false},
      {"vocab", std::move(vocabulary)},
      {"merges", std::move(merges)}};
}

}  // namespace

std::map<std::string, std::string> tokenizer_files(
    const GgufTokenizerData& given) {
  GgufTokenizerData data = given;
  data.bos = gguf_bos(given);
  data.eos = gguf_eos(given);
  json tokenizer;
  tokenizer["version"] = "1.0";
  tokenizer["truncation"] = nullptr;
  tokenizer["padding"] = nullptr;
  tokenizer["added_tokens"] = added_tokens(data);
  if (data.model == "llama") {
    tokenizer["normalizer"] = spm_normalizer(data);
    tokenizer["pre_tokenizer"] = nullptr;
    tokenizer["post_processor"] = has_bos(data) ? post_processor(data) : json();
    tokenizer["decoder"] = spm_decoder(data);
    tokenizer["model"] = spm_bpe(data);
  } else {
    const auto family = find_gguf_family(data.pre);
    tokenizer["normalizer"] =
        family && family->nfc ? json{{"type", "NFC"}} : json();
    tokenizer["pre_tokenizer"] = pre_tokenizer(data.pre);
    tokenizer["post_processor"] = post_processor(data);
    tokenizer["decoder"] = byte_level(true);
    tokenizer["model"] = bpe(data);
  }

  json config;
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  config["clean_up_tokenization_spaces"] = false;
  const auto name = [&](const char* key, std::optional<std::int32_t> id) {
    if (id) config[key] = data.tokens.at(static_cast<std::size_t>(*id));
  };
  name("bos_token", data.bos);
  name("eos_token", data.eos);
  name("pad_token", data.pad);
  std::map<std::string, std::string> files = {
      {"tokenizer.json", tokenizer.dump() + "\n"},
      {"tokenizer_config.json", config.dump(2) + "\n"}};
  for (const auto& [title, text] : data.chat_templates)
    files[chat_template_file(title).string()] = text;
  return files;
}

}  // namespace moft
