// Writes a trained classifier or reward model as an ordinary Hugging Face
// directory: ..ForSequenceClassification, which transformers and the rewards
// `classifier` and `preference` read.
//
// Errors: WorldError for numbers that are not finite and for the disk.
// Thread safety: one thread.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "moft/models/classifier.h"
#include "moft/training/publisher.h"
#include "moft/training/reward/trainer.h"

namespace moft {

struct RewardProduct {
  Classifier* model = nullptr;
  RewardTrainer* trainer = nullptr;
  RewardTask kind = RewardTask::kClassification;
  std::filesystem::path base_path;  // of the tokenizer's files
  // The padding token of a decoder, which transformers needs for batches.
  std::optional<TokenId> pad_token = {};
  std::string pad_text = {};
  std::map<std::string, std::string> provenance = {};
};

// config.json of the model, made of its base's.
nlohmann::json classifier_config(const RewardProduct& product);

class RewardPublisher : public Publisher {
 public:
  explicit RewardPublisher(RewardProduct product)
      : product_(std::move(product)) {}

  void require_finite() override;
  void publish(const FinishedRun& run) override;

 private:
  RewardProduct product_;
};

}  // namespace moft
