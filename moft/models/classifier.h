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
#include <map>
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
// The same of what a classifier may be trained from: a classifier, or an
// encoder or a language model without a head, which has no labels.
ClassifierInfo read_classifier_base(const std::filesystem::path& directory);

// A head that begins at random, as transformers draws it; a layer below it that
// the files have (BERT's pooler) is theirs.
struct NewHead {
  std::vector<std::string> labels;  // [L]
  std::uint64_t seed = 1;
};

// A decoder's text as it is read: later tokens change nothing of a token's
// state, so padding at its end is left out.
TokenIds without_padding(const TokenIds& text, const ClassifierInfo& info);

class Classifier {
 public:
  // The weights, too.
  explicit Classifier(
      const std::filesystem::path& directory, at::Device device = at::kCPU);
  // What training starts from: read_classifier_base().
  Classifier(
      const std::filesystem::path& directory,
      const std::optional<NewHead>& head,
      const LoadOptions& options);

  const ClassifierInfo& info() const { return info_; }
  // The model with its head, for conditioning, which must not outlive this.
  SequenceModel& network() {
    return encoder_ != nullptr ? *encoder_ : *decoder_;
  }
  // The parameters of the head, among network()'s.
  std::vector<std::shared_ptr<SteeredParameter>> head_parameters();
  // config.json as it is.
  const nlohmann::json& config() const { return config_; }
  // The files of the weights.
  const std::vector<std::filesystem::path>& weight_files() const {
    return weight_files_;
  }

  // texts: ids with the tokenizer's frame; `second`, if not empty: where the
  // second segment of each begins. Returns [B, L] double on the CPU.
  at::Tensor logits(
      const std::vector<TokenIds>& texts,
      const std::vector<std::int64_t>& second = {}) const;
  // The same of texts without padding, [B, L] float32 on the device, at once;
  // differentiable in gradient mode. One thread at a time, and not beside
  // logits().
  at::Tensor forward(
      const std::vector<TokenIds>& texts,
      const std::vector<std::int64_t>& second,
      const RowSteering& steering) const;

  // Every parameter as files hold it, by its name in them; those in `changed`,
  // by the name in network(), have other values than they were loaded with.
  std::map<std::string, at::Tensor> file_tensors(
      const std::map<std::string, at::Tensor>& changed);

 private:
  void load_encoder(
      const std::shared_ptr<const HfDirectory>& files,
      const std::optional<NewHead>& head,
      const LoadOptions& options);

  ClassifierInfo info_;
  nlohmann::json config_;
  std::vector<std::filesystem::path> weight_files_;
  std::size_t body_ = 0;  // number of parameters below the head
  std::unique_ptr<EncoderModel> encoder_;
  std::unique_ptr<OutputHead> head_;        // of the encoder
  std::unique_ptr<SequenceModel> decoder_;  // in its place, with its own head
  mutable std::mutex mutex_;  // the model serves one thread at a time
};

}  // namespace moft
