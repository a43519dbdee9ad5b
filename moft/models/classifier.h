// Sequence classifiers and reward models in Hugging Face directories: the
// ..ForSequenceClassification of an encoder (encoders.h), or of a decoder with
// a `score` head on its last token (families.h).
//
// Knows token ids, not text: tokenising is the caller's.
//
// B texts, L labels. Errors: CallerError naming file and key or tensor.
// Thread safety: calls may come from several threads; they wait for each other.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "moft/checkpoints/hf_directory.h"
#include "moft/models/encoder_model.h"
#include "moft/models/output_head.h"

namespace moft {

// What config.json says.
struct ClassifierInfo {
  std::string place;                // of config.json, for messages
  std::string model_type;           // "bert"
  std::vector<std::string> labels;  // [L], by index
  // Each label is a question of its own (problem_type
  // multi_label_classification, or one label): probabilities are logistic.
  bool separate_labels = false;
  // Reads pairs of texts; a decoder reads one.
  bool encoder = true;
  std::int64_t vocabulary = 0;
  std::int64_t max_tokens = 0;  // of a text with its frame
  // A decoder's text is read at its last token that is not this one.
  std::optional<std::int32_t> pad_token;
};

// Reads config.json and no weights: a preflight takes milliseconds.
ClassifierInfo read_classifier_info(const std::filesystem::path& directory);

class Classifier {
 public:
  // The weights, too.
  explicit Classifier(
      const std::filesystem::path& directory, at::Device device = at::kCPU);

  const ClassifierInfo& info() const { return info_; }

  // texts: ids with the tokenizer's frame; `second`, if not empty: where the
  // second segment of each begins. Returns [B, L] double on the CPU.
  at::Tensor logits(
      const std::vector<TokenIds>& texts,
      const std::vector<std::int64_t>& second = {}) const;

 private:
  void load_encoder(
      const std::shared_ptr<const HfDirectory>& files, at::Device device);
  TokenIds without_padding(const TokenIds& text) const;
  // [texts, L].
  at::Tensor forward(
      const std::vector<TokenIds>& texts,
      const std::vector<std::int64_t>& second) const;

  ClassifierInfo info_;
  std::unique_ptr<EncoderModel> encoder_;
  std::unique_ptr<OutputHead> head_;        // of the encoder
  std::unique_ptr<SequenceModel> decoder_;  // in its place, with its own head
  mutable std::mutex mutex_;  // the model serves one thread at a time
};

}  // namespace moft
