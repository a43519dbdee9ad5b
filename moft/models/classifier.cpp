// Reads sequence classifiers and computes their logits.
#include "moft/models/classifier.h"

#include <algorithm>
#include <numeric>

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/checkpoints/hf_directory.h"
#include "moft/checkpoints/json_text.h"
#include "moft/core/files.h"
#include "moft/core/text.h"
#include "moft/kernels/tensors.h"
#include "moft/models/config_keys.h"
#include "moft/models/encoders.h"
#include "moft/models/model_tensors.h"
#include "moft/models/score_heads.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// Tokens read at once: bounds the memory of one call.
constexpr std::int64_t kTokensPerPass = 4096;

[[noreturn]] void refuse_architecture(
    const Json& config, const std::string& place) {
  std::vector<std::string> types;
  for (const EncoderFamily& family : encoder_families())
    types.insert(
        types.end(), family.model_types.begin(), family.model_types.end());
  for (const ScoreFamily& family : score_families())
    types.insert(
        types.end(), family.model_types.begin(), family.model_types.end());
  throw_caller_error(
      "{}: model_type is {}; moft reads classifiers of {}",
      place,
      config.contains("model_type") ? config["model_type"].dump() : "missing",
      join(types, ", "));
}

// A model that was saved without a head of a classifier has no labels.
void check_architecture(const Json& config, const std::string& place) {
  const auto names = config.find("architectures");
  if (names == config.end() || !names->is_array() || names->empty()) return;
  for (const Json& name : *names) {
    if (!name.is_string()) continue;
    if (name.get<std::string>().ends_with("ForSequenceClassification")) return;
  }
  throw_caller_error(
      "{}: architectures is {}, which is not a classifier; give a model that "
      "was saved as ..ForSequenceClassification",
      place,
      names->dump());
}

// id2label, else num_labels, else transformers' default of two labels.
std::vector<std::string> read_labels(const ConfigKeys& keys) {
  constexpr const char* kNames = "id2label";
  std::vector<std::string> labels;
  if (!keys.has(kNames)) {
    const std::int64_t count = keys.size_or("num_labels", 2);
    for (std::int64_t i = 0; i < count; ++i)
      labels.push_back(fmt::format("LABEL_{}", i));
    return labels;
  }
  const Json& names = keys.at(kNames);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto name = names.is_object() ? names.find(std::to_string(i))
                                        : Json::const_iterator();
    if (!names.is_object() || name == names.end() || !name->is_string()) {
      throw_caller_error(
          "{}: id2label must map \"0\", \"1\", .. to the names of the labels",
          keys.place());
    }
    labels.push_back(name->get<std::string>());
  }
  if (labels.empty()) keys.refuse(kNames, "classifiers with a label");
  return labels;
}

std::optional<std::int32_t> read_pad_token(const ConfigKeys& keys) {
  constexpr const char* kKey = "pad_token_id";
  if (!keys.has(kKey) || !keys.at(kKey).is_number_integer())
    return std::nullopt;
  return keys.at(kKey).get<std::int32_t>();
}

ClassifierInfo info_of(const Json& config, const std::string& place) {
  const ConfigKeys keys(config, place, "classifier");
  const EncoderFamily* encoder = find_encoder_family(config);
  const ScoreFamily* decoder = find_score_family(config);
  if (!config.contains("model_type") || (!encoder && !decoder))
    refuse_architecture(config, place);
  check_architecture(config, place);
  ClassifierInfo info;
  info.place = place;
  info.model_type = keys.text_or("model_type", "");
  info.labels = read_labels(keys);
  info.separate_labels =
      info.labels.size() == 1 ||
      keys.text_or("problem_type", "") == "multi_label_classification";
  info.encoder = encoder != nullptr;
  const EncoderSize size =
      encoder ? encoder->size(config, place) : decoder->size(config, place);
  info.vocabulary = size.vocabulary;
  info.max_tokens = size.context;
  if (!encoder) info.pad_token = read_pad_token(keys);
  return info;
}

}  // namespace

ClassifierInfo read_classifier_info(const fs::path& directory) {
  const fs::path path = directory / "config.json";
  const std::string text = read_text(path, /*max_bytes=*/1 << 20);
  return info_of(parse_json_object(text, path.string()), path.string());
}

Classifier::Classifier(const fs::path& directory, at::Device device) {
  const auto files = std::make_shared<const HfDirectory>(directory);
  const Json& config = files->config();
  info_ = info_of(config, (directory / "config.json").string());
  if (info_.encoder) {
    load_encoder(files, device);
  } else {
    decoder_ = load_score_model(
        *find_score_family(config),
        files,
        info_.place,
        std::ssize(info_.labels),
        device);
  }
}

void Classifier::load_encoder(
    const std::shared_ptr<const HfDirectory>& files, at::Device device) {
  const Json& config = files->config();
  const EncoderFamily& family = *find_encoder_family(config);
  const LoadOptions options{.device = device};
  load_encoder_tensors(family, files, [&](const FindParameter& find) {
    encoder_ = family.make(config, info_.place, find, options);
    HeadShape shape = family.head(config, info_.place);
    shape.outputs = std::ssize(info_.labels);
    ModelBuilder builder(encoder_->steerable(), find, options);
    head_ =
        std::make_unique<OutputHead>(builder, shape, encoder_->info().width);
  });
}

// In a decoder later tokens change nothing of a token's state.
TokenIds Classifier::without_padding(const TokenIds& text) const {
  if (!info_.pad_token) return text;
  std::size_t length = text.size();
  while (length > 1 && text[length - 1] == *info_.pad_token)
    --length;
  return {text.begin(), text.begin() + static_cast<std::ptrdiff_t>(length)};
}

at::Tensor Classifier::forward(
    const std::vector<TokenIds>& texts,
    const std::vector<std::int64_t>& second) const {
  const RowSteering plain =
      RowSteering::uniform(Coefficients::frozen_reference());
  if (decoder_ != nullptr)
    return decoder_->head().forward(decoder_->last_states(texts, plain), plain);
  const at::Tensor states = encoder_->pair_states(texts, second, plain);
  const bool mean = head_->shape().read_at == ReadAt::kMean;
  std::vector<at::Tensor> read;
  std::int64_t first = 0;
  for (const TokenIds& text : texts) {
    const std::int64_t length = std::ssize(text);
    read.push_back(
        mean ? states.narrow(0, first, length).mean(0) : states[first]);
    first += length;
  }
  return head_->forward(at::stack(read), plain);
}

at::Tensor Classifier::logits(
    const std::vector<TokenIds>& texts,
    const std::vector<std::int64_t>& second) const {
  const at::NoGradGuard no_gradient;
  const std::lock_guard lock(mutex_);
  const at::Tensor all =
      at::empty({std::ssize(texts), std::ssize(info_.labels)}, at::kDouble);
  // From short to long: equal lengths share their calls.
  std::vector<std::int64_t> order(texts.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::int64_t i) {
    return texts[static_cast<std::size_t>(i)].size();
  });
  auto first = order.begin();
  while (first != order.end()) {
    std::vector<TokenIds> pass;
    std::vector<std::int64_t> cuts;
    std::int64_t tokens = 0;
    auto last = first;
    while (last != order.end() && tokens < kTokensPerPass) {
      const auto i = static_cast<std::size_t>(*last++);
      pass.push_back(without_padding(texts[i]));
      if (!second.empty()) cuts.push_back(second.at(i));
      tokens += std::ssize(pass.back());
    }
    all.index_copy_(
        0,
        kernels::long_tensor({first, last}),
        forward(pass, cuts).to(at::kCPU, at::kDouble));
    first = last;
  }
  return all;
}

}  // namespace moft
