// Files of a trained classifier.
#include "moft/training/reward/publisher.h"

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/generation/export_parts.h"
#include "moft/tokenizers/tokenizer_files.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* kTokenizerConfig = "tokenizer_config.json";

// transformers' classes by model_type.
std::string class_of(const std::string& model_type) {
  static const std::map<std::string, std::string> kNames = {
      {"bert", "Bert"},
      {"deberta-v2", "DebertaV2"},
      {"gemma2", "Gemma2"},
      {"gemma3_text", "Gemma3Text"},
      {"gpt2", "GPT2"},
      {"llama", "Llama"},
      {"mistral", "Mistral"},
      {"modernbert", "ModernBert"},
      {"mpnet", "MPNet"},
      {"qwen2", "Qwen2"},
      {"qwen3", "Qwen3"},
      {"roberta", "Roberta"},
      {"xlm-roberta", "XLMRoberta"}};
  return kNames.at(model_type) + "ForSequenceClassification";
}

// Without a padding token transformers' tokenizers refuse batches.
void write_pad_token(const fs::path& building, const std::string& text) {
  const fs::path path = building / kTokenizerConfig;
  ordered_json config = ordered_json::object();
  if (fs::exists(path)) {
    config = parse_ordered_json(read_text(path), path.string());
    if (config.contains("pad_token") && !config["pad_token"].is_null()) return;
  } else {
    config["tokenizer_class"] = "PreTrainedTokenizerFast";
  }
  config["pad_token"] = text;
  fs::remove(path);  // it may be a link to the base's
  write_atomically(path, config.dump(2) + "\n");
}

}  // namespace

json classifier_config(const RewardProduct& product) {
  const ClassifierInfo& info = product.model->info();
  json config = product.model->config();
  config["architectures"] = {class_of(info.model_type)};
  config["id2label"] = json::object();
  config["label2id"] = json::object();
  for (std::size_t i = 0; i < info.labels.size(); ++i) {
    config["id2label"][std::to_string(i)] = info.labels[i];
    config["label2id"][info.labels[i]] = i;
  }
  config.erase("num_labels");
  config["problem_type"] = product.kind == RewardTask::kClassification
                               ? "single_label_classification"
                               : "regression";
  if (product.pad_token) config["pad_token_id"] = *product.pad_token;
  return config;
}

void RewardPublisher::require_finite() {
  for (const auto& [name, tensor] : product_.trainer->state().masters) {
    if (at::isfinite(tensor).all().item<bool>()) continue;
    throw_world_error(
        "the trained parameter '{}' is not finite; lower "
        "reward.optimizer.learning_rate",
        name);
  }
}

void RewardPublisher::publish(const FinishedRun& run) {
  ModelDirectory model{run.product, IfExists::kReplace};
  for (auto& [name, value] :
       product_.model->file_tensors(product_.trainer->product()))
    model.weights.push_back(float_entry(name, value));
  model.config = classifier_config(product_);
  model.note["format_version"] = 1;
  model.note["reward"] = {
      {"kind", enum_name(product_.kind)}, {"steps", run.steps}};
  model.note["provenance"] = product_.provenance;
  write_model_directory(std::move(model), [&](const fs::path& building) {
    copy_tokenizer_files(product_.base_path, building);
    if (!product_.pad_text.empty())
      write_pad_token(building, product_.pad_text);
  });
}

}  // namespace moft
