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
#include "moft/models/random/random_rows.h"
#include "moft/models/score_heads.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// The head of a config.json has at most this many.
constexpr std::int64_t kMostLabels = 100'000;
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

// Whether `architectures` names a classifier; none: it names nothing.
std::optional<bool> names_classifier(const Json& config) {
  const auto names = config.find("architectures");
  if (names == config.end() || !names->is_array() || names->empty())
    return std::nullopt;
  return std::ranges::any_of(*names, [](const Json& name) {
    return name.is_string() &&
           name.get<std::string>().ends_with("ForSequenceClassification");
  });
}

// A model that was saved without a head of a classifier has no labels.
void check_architecture(const Json& config, const std::string& place) {
  if (names_classifier(config).value_or(true)) return;
  throw_caller_error(
      "{}: architectures is {}, which is not a classifier; give a model that "
      "was saved as ..ForSequenceClassification",
      place,
      config["architectures"].dump());
}

// id2label, else num_labels, else transformers' default of two labels.
std::vector<std::string> read_labels(const ConfigKeys& keys) {
  constexpr const char* kNames = "id2label";
  std::vector<std::string> labels;
  if (!keys.has(kNames)) {
    const std::int64_t count = keys.size_or("num_labels", 2);
    if (count > kMostLabels)
      keys.refuse("num_labels", fmt::format("at most {} labels", kMostLabels));
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

// Everything but the labels.
ClassifierInfo base_info(const Json& config, const std::string& place) {
  const ConfigKeys keys(config, place, "classifier");
  const EncoderFamily* encoder = find_encoder_family(config);
  const ScoreFamily* decoder = find_score_family(config);
  if (!config.contains("model_type") || (!encoder && !decoder))
    refuse_architecture(config, place);
  ClassifierInfo info;
  info.place = place;
  info.model_type = keys.text_or("model_type", "");
  info.encoder = encoder != nullptr;
  const EncoderSize size =
      encoder ? encoder->size(config, place) : decoder->size(config, place);
  info.vocabulary = size.vocabulary;
  info.max_tokens = size.context;
  if (!encoder) info.pad_token = read_pad_token(keys);
  return info;
}

void set_labels(ClassifierInfo& info, std::vector<std::string> labels) {
  info.labels = std::move(labels);
  info.separate_labels = info.labels.size() == 1;
}

void read_labels(ClassifierInfo& info, const Json& config) {
  const ConfigKeys keys(config, info.place, "classifier");
  set_labels(info, read_labels(keys));
  if (keys.text_or("problem_type", "") == "multi_label_classification")
    info.separate_labels = true;
}

ClassifierInfo info_of(const Json& config, const std::string& place) {
  ClassifierInfo info = base_info(config, place);
  check_architecture(config, place);
  read_labels(info, config);
  return info;
}

Json read_config(const fs::path& path) {
  return parse_json_object(
      read_text(path, /*max_bytes=*/1 << 20), path.string());
}

// Rows of a new head's parameters, in their order.
class HeadRows {
 public:
  HeadRows(
      std::uint64_t seed,
      std::function<InitialSpread(const std::string& name)> spread)
      : seed_(seed), spread_(std::move(spread)) {}

  // Biases are 0, a norm's gain is 1.
  kernels::RowSource operator()(
      const std::string& name, const std::vector<std::int64_t>& shape) {
    InitialSpread spread;
    if (shape.size() > 1) {
      spread = spread_(name);
    } else if (name.ends_with(".weight")) {
      spread.constant = 1.0;
    }
    return random_rows(seed_, kFirstTensor + drawn_++, spread, shape);
  }

 private:
  std::uint64_t seed_;
  std::function<InitialSpread(const std::string& name)> spread_;
  std::uint32_t drawn_ = 0;
};

}  // namespace

ClassifierInfo read_classifier_info(const fs::path& directory) {
  const fs::path path = directory / "config.json";
  return info_of(read_config(path), path.string());
}

ClassifierInfo read_classifier_base(const fs::path& directory) {
  const fs::path path = directory / "config.json";
  const Json config = read_config(path);
  ClassifierInfo info = base_info(config, path.string());
  if (names_classifier(config).value_or(false)) read_labels(info, config);
  return info;
}

TokenIds without_padding(const TokenIds& text, const ClassifierInfo& info) {
  if (!info.pad_token) return text;
  std::size_t length = text.size();
  while (length > 1 && text[length - 1] == *info.pad_token)
    --length;
  return {text.begin(), text.begin() + static_cast<std::ptrdiff_t>(length)};
}

Classifier::Classifier(const fs::path& directory, at::Device device)
    : Classifier(directory, std::nullopt, LoadOptions{.device = device}) {}

Classifier::Classifier(
    const fs::path& directory,
    const std::optional<NewHead>& head,
    const LoadOptions& options) {
  const auto files = std::make_shared<const HfDirectory>(directory);
  config_ = files->config();
  weight_files_ = files->weight_files();
  const std::string place = (directory / "config.json").string();
  info_ = head ? base_info(config_, place) : info_of(config_, place);
  if (head) set_labels(info_, head->labels);
  if (info_.encoder) {
    load_encoder(files, head, options);
    return;
  }
  FindParameter rows;
  if (head) {
    rows = HeadRows(head->seed, [this](const std::string&) {
      return usual_head_spread(config_);
    });
  }
  decoder_ = load_score_model(
      *find_score_family(config_),
      files,
      info_.place,
      std::ssize(info_.labels),
      options,
      rows);
  body_ = decoder_->steerable().parameters.size() - 1;
}

void Classifier::load_encoder(
    const std::shared_ptr<const HfDirectory>& files,
    const std::optional<NewHead>& head,
    const LoadOptions& options) {
  const EncoderFamily& family = *find_encoder_family(config_);
  const auto build = [&](const FindParameter& find, const HasTensor& has) {
    encoder_ = family.make(config_, info_.place, find, options);
    body_ = encoder_->steerable().parameters.size();
    HeadShape shape = family.head(config_, info_.place);
    shape.outputs = std::ssize(info_.labels);
    HeadRows rows(head ? head->seed : 0, [&](const std::string& name) {
      return family.head_spread ? family.head_spread(config_, name)
                                : usual_head_spread(config_);
    });
    const FindParameter begin = [&](const std::string& name,
                                    const std::vector<std::int64_t>& sizes) {
      const bool own = name.starts_with(shape.out + ".");
      return own || !has(name) ? rows(name, sizes) : find(name, sizes);
    };
    const FindParameter& of_head = head ? begin : find;
    ModelBuilder builder(encoder_->steerable(), of_head, options);
    head_ =
        std::make_unique<OutputHead>(builder, shape, encoder_->info().width);
  };
  load_encoder_tensors(family, files, build);
}

std::vector<std::shared_ptr<SteeredParameter>> Classifier::head_parameters() {
  const auto& all = network().steerable().parameters;
  return {all.begin() + static_cast<std::ptrdiff_t>(body_), all.end()};
}

std::map<std::string, at::Tensor> Classifier::file_tensors(
    const std::map<std::string, at::Tensor>& changed) {
  std::string root;
  std::function<bool(const std::string&)> transposed;
  if (encoder_ != nullptr) {
    root = find_encoder_family(config_)->root;
  } else {
    transposed = find_score_family(config_)->transposed;
  }
  std::map<std::string, at::Tensor> tensors;
  const auto& parameters = network().steerable().parameters;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::string& own = parameters[i]->name();
    const auto found = changed.find(own);
    at::Tensor value =
        found == changed.end() ? parameters[i]->reference() : found->second;
    if (transposed && transposed(own)) value = value.t();
    const bool named = i >= body_ || own.starts_with(root);
    tensors[named ? own : root + own] =
        value.detach().to(at::kCPU, at::kFloat).contiguous();
  }
  return tensors;
}

at::Tensor Classifier::forward(
    const std::vector<TokenIds>& texts,
    const std::vector<std::int64_t>& second,
    const RowSteering& steering) const {
  if (decoder_ != nullptr) {
    return decoder_->head().forward(
        decoder_->last_states(texts, steering), steering);
  }
  const at::Tensor states = encoder_->pair_states(texts, second, steering);
  const bool mean = head_->shape().read_at == ReadAt::kMean;
  std::vector<at::Tensor> read;
  std::int64_t first = 0;
  for (const TokenIds& text : texts) {
    const std::int64_t length = std::ssize(text);
    read.push_back(
        mean ? states.narrow(0, first, length).mean(0) : states[first]);
    first += length;
  }
  return head_->forward(at::stack(read), steering);
}

at::Tensor Classifier::logits(
    const std::vector<TokenIds>& texts,
    const std::vector<std::int64_t>& second) const {
  const at::NoGradGuard no_gradient;
  const std::lock_guard lock(mutex_);
  const RowSteering plain =
      RowSteering::uniform(Coefficients::frozen_reference());
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
      pass.push_back(without_padding(texts[i], info_));
      if (!second.empty()) cuts.push_back(second.at(i));
      tokens += std::ssize(pass.back());
    }
    all.index_copy_(
        0,
        kernels::long_tensor({first, last}),
        forward(pass, cuts, plain).to(at::kCPU, at::kDouble));
    first = last;
  }
  return all;
}

}  // namespace moft
