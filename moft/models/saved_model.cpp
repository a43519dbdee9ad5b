// Configuration and output head of a model that transformers saved.
#include "moft/models/saved_model.h"

#include "moft/core/errors.h"
#include "moft/core/log.h"
#include "moft/models/decoder_model.h"

namespace moft {
namespace {

constexpr const char* kEmbedding = "model.embed_tokens.weight";

}  // namespace

SavedModel::SavedModel(const std::filesystem::path& directory)
    : files_(std::make_shared<const HfDirectory>(directory)),
      config_(files_->config()),
      corrected_(files_->config()),
      place_((files_->path() / "config.json").string()) {
  if (const auto& generation = files_->generation_config()) {
    const auto end = generation->find("eos_token_id");
    if (end != generation->end() && !end->is_null()) {
      config_["eos_token_id"] = *end;
    }
  }
}

void SavedModel::correct(const char* key, const nlohmann::json& value) {
  config_[key] = value;
  corrected_[key] = value;
}

bool is_tied(
    ModelTensors& tensors, const std::string& embedding, const TiedFlag& flag) {
  if (!tensors.has(kHeadWeight)) {
    if (flag.says) return true;
    if (tensors.has("score.weight") || tensors.has("classifier.weight")) {
      throw_caller_error(
          "{}: is a classifier or a reward model (it has a head of scores, and "
          "no '{}'); give a language model",
          tensors.source().describe(),
          kHeadWeight);
    }
    throw_caller_error(
        "{}: tensor '{}' is missing, and tie_word_embeddings is false; set "
        "\"tie_word_embeddings\": true in config.json if the head is the "
        "embedding table, or save the model with its head",
        tensors.source().describe(),
        kHeadWeight);
  }
  if (!flag.says) return false;
  if (!tensors.has(embedding)) return true;
  if (tensors.equal(embedding, kHeadWeight)) {
    tensors.mark_read(kHeadWeight);
    return true;
  }
  if (!flag.warns) return false;
  log_warning(
      "{}: tie_word_embeddings is true, but '{}' differs from '{}'; moft uses "
      "the head that is in the file",
      tensors.source().describe(),
      kHeadWeight,
      embedding);
  return false;
}

std::unique_ptr<LanguageModel> load_saved_decoder(
    SavedModel& saved, DecoderConfig config, const LoadOptions& options) {
  ModelTensors tensors(saved.files(), "model.", kEmbedding);
  // A file may hold a tied pair under either name.
  const bool head_only =
      config.tied_head && !tensors.has(kEmbedding) && tensors.has(kHeadWeight);
  config.tied_head = is_tied(tensors, kEmbedding, {.says = config.tied_head});
  saved.correct("tie_word_embeddings", config.tied_head);
  const FindParameter find = [&](const std::string& name,
                                 std::vector<std::int64_t> shape) {
    const bool renamed = head_only && name == kEmbedding;
    return tensors.rows(renamed ? kHeadWeight : name, shape);
  };
  auto model = std::make_unique<DecoderModel>(std::move(config), find, options);
  tensors.check_all_read({"layers.", "lm_head."});
  return model;
}

}  // namespace moft
