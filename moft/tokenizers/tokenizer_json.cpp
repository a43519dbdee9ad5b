#include "moft/tokenizers/tokenizer_json.h"

#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/tokenizers/pre_tokenizer.h"

namespace moft {
namespace {

using nlohmann::json;  // not ordered_json: its look-up is linear

// llama.cpp's numbers for tokens that are not learned pieces.
bool is_added(std::int32_t type) {
  return type == 2 || type == 3 || type == 4;
}
bool is_special(std::int32_t type) {
  return type == 2 || type == 3;
}

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

json sequence(json first, json second) {
  json steps = json::array();
  steps.push_back(std::move(first));
  steps.push_back(std::move(second));
  return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

json pre_tokenizer(const std::string& pre) {
  if (pre == "gpt-2") return byte_level(true);
  if (pre == "smollm") {
    return sequence(
        {{"type", "Digits"}, {"individual_digits", true}}, byte_level(true));
  }
  if (pre == "llama-bpe") {
    return sequence(split(kLlama3Pattern), byte_level(false));
  }
  if (pre == "qwen2") return sequence(split(kQwen2Pattern), byte_level(false));
  throw_caller_error(
      "the GGUF pre-tokenizer '{}' has no counterpart in tokenizer.json; "
      "export works for smollm, gpt-2, llama-bpe and qwen2",
      pre);
}

std::int32_t type_of(const GgufTokenizerData& data, std::size_t id) {
  return data.token_types.empty() ? 1 : data.token_types[id];
}

json added_tokens(const GgufTokenizerData& data) {
  json added = json::array();
  for (std::size_t id = 0; id < data.tokens.size(); ++id) {
    const std::int32_t type = type_of(data, id);
    if (!is_added(type)) continue;
    added.push_back(
        {{"id", id},
         {"content", data.tokens[id]},
         {"single_word", false},
         {"lstrip", false},
         {"rstrip", false},
         {"normalized", false},
         {"special", is_special(type)}});
  }
  return added;
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
      {"ignore_merges", data.pre == "llama-bpe"},
      {"vocab", std::move(vocabulary)},
      {"merges", data.merges}};
}

// A template that puts the beginning-of-sequence token first.
json post_processor(const GgufTokenizerData& data) {
  if (!data.add_bos || !data.bos) return byte_level(true);
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

}  // namespace

std::map<std::string, std::string> tokenizer_files(
    const GgufTokenizerData& data) {
  json tokenizer;
  tokenizer["version"] = "1.0";
  tokenizer["truncation"] = nullptr;
  tokenizer["padding"] = nullptr;
  tokenizer["added_tokens"] = added_tokens(data);
  tokenizer["normalizer"] =
      data.pre == "qwen2" ? json{{"type", "NFC"}} : json();
  tokenizer["pre_tokenizer"] = pre_tokenizer(data.pre);
  tokenizer["post_processor"] = post_processor(data);
  tokenizer["decoder"] = byte_level(true);
  tokenizer["model"] = bpe(data);

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
  for (const auto& [title, text] : data.chat_templates) {
    const bool usual = title == "default";
    files
        [usual ? "chat_template.jinja"
               : "additional_chat_templates/" + title + ".jinja"] = text;
  }
  return files;
}

}  // namespace moft
