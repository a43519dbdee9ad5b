// Sentence embeddings, and the files beside the weights that define them.
#include "moft/models/bert/sentence_encoder.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <nlohmann/json.hpp>

#include "moft/checkpoints/hf_directory.h"
#include "moft/checkpoints/json_text.h"
#include "moft/core/errors.h"
#include "moft/kernels/tensors.h"
#include "moft/models/encoders.h"

namespace moft::bert {
namespace {

using Text = TokenIds;

Text truncate(const Text& text, std::int64_t max_tokens) {
  const auto limit = static_cast<std::size_t>(max_tokens);
  if (text.size() <= limit) return text;
  Text cut(text.begin(), text.begin() + max_tokens);
  cut.back() = text.back();
  return cut;
}

// Indices from short to long; equal lengths keep their order.
std::vector<std::int64_t> by_length(std::span<const Text> texts) {
  std::vector<std::int64_t> order(texts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    return texts[a].size() < texts[b].size();
  });
  return order;
}

}  // namespace

SentenceEncoder::SentenceEncoder(
    std::shared_ptr<SequenceModel> model, SentenceOptions options)
    : model_(std::move(model), options.pooling), options_(options) {
  const std::int64_t positions = info().context;
  if (options_.max_tokens < 2 || options_.max_tokens > positions) {
    throw_caller_error(
        "[sentence encoder] max_tokens is {}; the model takes 2 to {}",
        options_.max_tokens,
        positions);
  }
}

at::Tensor SentenceEncoder::embed(std::span<const Text> texts) const {
  const auto count = static_cast<std::int64_t>(texts.size());
  const at::Tensor embeddings = at::empty({count, dimension()}, at::kFloat);
  const std::vector<std::int64_t> order = by_length(texts);
  auto first = order.begin();
  while (first != order.end()) {
    std::vector<Text> pass;
    std::int64_t tokens = 0;
    auto last = first;
    while (last != order.end() && tokens < options_.tokens_per_pass) {
      pass.push_back(truncate(texts[*last++], options_.max_tokens));
      tokens += std::ssize(pass.back());
    }
    embeddings.index_copy_(
        0, kernels::long_tensor({first, last}), embed_pass(pass).to(at::kCPU));
    first = last;
  }
  return embeddings;
}

at::Tensor SentenceEncoder::embed_pass(
    const std::vector<TokenIds>& texts) const {
  const at::NoGradGuard no_gradient;
  const std::lock_guard lock(mutex_);
  const at::Tensor pooled = model_.forward(texts);
  return pooled / pooled.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-12);
}

namespace {

using Json = nlohmann::json;

std::string read_small_file(const std::filesystem::path& path) {
  return read_text(path, /*max_bytes=*/1 << 20);
}

Json read_small_json(const std::filesystem::path& path) {
  return parse_json_object(read_small_file(path), path.string());
}

// sentence-transformers' own limit; else the tokenizer's, which its version 5.4
// and later write instead; never more than the model has positions for.
std::int64_t read_max_tokens(
    const std::filesystem::path& directory, std::int64_t positions) {
  const auto path = directory / "sentence_bert_config.json";
  if (std::filesystem::exists(path)) {
    const Json json = read_small_json(path);
    const auto field = json.find("max_seq_length");
    if (field != json.end() && !field->is_null()) {
      if (!field->is_number_integer() || *field < 2 || *field > positions) {
        throw_caller_error(
            "{}: max_seq_length is {}; it must be a whole number from 2 to the "
            "model's {} positions",
            path.string(),
            field->dump(),
            positions);
      }
      return field->get<std::int64_t>();
    }
  }
  const auto config = directory / "tokenizer_config.json";
  if (!std::filesystem::exists(config)) return positions;
  const Json json = read_small_json(config);
  const auto field = json.find("model_max_length");
  if (field == json.end() || field->is_null()) return positions;
  if (!field->is_number() || !(field->get<double>() >= 2)) {
    throw_caller_error(
        "{}: model_max_length is {}; it must be a number of tokens from 2 on",
        config.string(),
        field->dump());
  }
  const double limit = field->get<double>();
  return limit < static_cast<double>(positions)
             ? static_cast<std::int64_t>(limit)
             : positions;
}

constexpr const char* kReadEncoders =
    "moft reads encoders of BERT, RoBERTa, XLM-RoBERTa, MPNet, DeBERTa and "
    "ModernBERT such as all-MiniLM-L6-v2, all-mpnet-base-v2, "
    "bge-small-en-v1.5, "
    "gte-small and multilingual-e5-small";

// The folder of the pooling module, from the chain that modules.json lists;
// absent where there is no such file.
std::optional<std::filesystem::path> find_pooling(
    const std::filesystem::path& directory) {
  const auto path = directory / "modules.json";
  if (!std::filesystem::exists(path)) return std::nullopt;
  const Json modules =
      Json::parse(read_small_file(path), nullptr, /*allow_exceptions=*/false);
  const char* const kinds[] = {"Transformer", "Pooling", "Normalize"};
  bool known = modules.is_array() && modules.size() >= 2 && modules.size() <= 3;
  std::string found;  // the kinds that are there
  for (std::size_t i = 0; modules.is_array() && i < modules.size(); ++i) {
    const Json& module = modules[i];
    const bool readable = module.is_object() && module.contains("type") &&
                          module["type"].is_string() &&
                          module.contains("path") && module["path"].is_string();
    const std::string type = readable ? module["type"].get<std::string>() : "?";
    found += (i == 0 ? "" : ", ") + type.substr(type.rfind('.') + 1);
    known = known && readable && i < 3 &&
            type.ends_with(std::string(".") + kinds[i]);
  }
  if (!known) {
    throw_caller_error(
        "{}: only the chain Transformer, Pooling[, Normalize] is supported, "
        "not [{}]; {}",
        path.string(),
        found,
        kReadEncoders);
  }
  if (!modules[0]["path"].get<std::string>().empty()) {
    throw_caller_error(
        "{}: the model is in the folder '{}', a layout of old versions of "
        "sentence-transformers; save it again with version 2 or later",
        path.string(),
        modules[0]["path"].get<std::string>());
  }
  return directory / modules[1]["path"].get<std::string>();
}

// The names of the modes that are switched on: version 5.4 and later of
// sentence-transformers write `pooling_mode`, earlier ones a flag per mode.
std::vector<std::string> pooling_modes(const Json& json) {
  const auto mode = json.find("pooling_mode");
  std::vector<std::string> modes;
  if (mode != json.end() && mode->is_string()) {
    modes.push_back(mode->get<std::string>());
  } else if (mode != json.end() && mode->is_array()) {
    for (const Json& each : *mode)
      modes.push_back(each.is_string() ? each.get<std::string>() : each.dump());
  } else {
    const std::string prefix = "pooling_mode_";
    bool said = false;
    for (const auto& [name, value] : json.items()) {
      said = said || name.starts_with(prefix);
      if (!name.starts_with(prefix) || value != true) continue;
      std::string short_name = name.substr(prefix.size());
      const std::string ending = "_tokens";
      const std::string token = "_token";
      if (short_name == "mean" + ending) short_name = "mean";
      if (short_name == "cls" + token) short_name = "cls";
      modes.push_back(short_name);
    }
    if (!said) modes.push_back("mean");
  }
  return modes;
}

ReadAt read_pooling(const std::filesystem::path& directory) {
  const auto folder = find_pooling(directory);
  if (!folder) return ReadAt::kMean;
  const auto path = *folder / "config.json";
  const std::vector<std::string> modes = pooling_modes(read_small_json(path));
  if (modes == std::vector<std::string>{"mean"}) return ReadAt::kMean;
  if (modes == std::vector<std::string>{"cls"}) return ReadAt::kFirstToken;
  std::string found;
  for (const std::string& mode : modes)
    found += (found.empty() ? "" : ", ") + mode;
  throw_caller_error(
      "{}: the pooling is [{}]; exactly one of mean and cls is supported; {}",
      path.string(),
      found,
      kReadEncoders);
}

// A prompt that sentence-transformers would put before every text.
void refuse_default_prompt(const std::filesystem::path& directory) {
  const auto path = directory / "config_sentence_transformers.json";
  if (!std::filesystem::exists(path)) return;
  const Json json = read_small_json(path);
  const auto field = json.find("default_prompt_name");
  if (field == json.end() || field->is_null()) return;
  throw_caller_error(
      "{}: default_prompt_name is {}, a prompt before every text, which moft "
      "does not add; set it to null to compare the texts as they are",
      path.string(),
      field->dump());
}

// In one sentence, before a field that another architecture lacks is missed.
const EncoderFamily& family_of(const Json& config, const std::string& where) {
  if (const EncoderFamily* family = find_encoder_family(config)) return *family;
  throw_caller_error(
      "{}: model_type is {}; {}",
      where,
      config.at("model_type").dump(),
      kReadEncoders);
}

}  // namespace

EncoderShape read_encoder_shape(const std::filesystem::path& directory) {
  const auto path = directory / "config.json";
  const Json json = read_small_json(path);
  const EncoderSize size =
      family_of(json, path.string()).size(json, path.string());
  refuse_default_prompt(directory);
  EncoderShape shape;
  shape.vocab_size = size.vocabulary;
  shape.pooling = read_pooling(directory);
  shape.max_tokens = read_max_tokens(directory, size.context);
  return shape;
}

SentenceEncoder load_sentence_encoder(
    const std::filesystem::path& directory, at::Device device) {
  const auto files = std::make_shared<const HfDirectory>(directory);
  const EncoderShape shape = read_encoder_shape(directory);
  const std::string place = (directory / "config.json").string();
  const EncoderFamily& family = family_of(files->config(), place);
  std::shared_ptr<SequenceModel> model;
  load_encoder_tensors(family, files, [&](const FindParameter& find, auto&) {
    model = family.make(
        files->config(), place, find, LoadOptions{.device = device});
  });
  SentenceOptions options;
  options.pooling = shape.pooling;
  options.max_tokens = shape.max_tokens;
  return {std::move(model), options};
}

}  // namespace moft::bert
