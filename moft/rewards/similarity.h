// A reward for answers that mean the same as a text of the example.
#pragma once

#include <mutex>
#include <optional>
#include <unordered_map>

#include "moft/models/bert/sentence_encoder.h"
#include "moft/rewards/reward.h"
#include "moft/tokenizers/tokenizer.h"

namespace moft {

// A sentence encoder with its tokenizer: text to unit vectors.
//
// Thread safety: as the encoder's, calls may run at once.
class TextEmbedder {
 public:
  // `directory`: a sentence-transformers directory (BERT shape) with
  // tokenizer.json. Throws CallerError as the loaders do.
  TextEmbedder(const std::filesystem::path& directory, at::Device device);

  // [texts, dimension] float32 on the CPU, rows of length 1. Special tokens
  // written in a text are ordinary text.
  at::Tensor embed(const std::vector<std::string>& texts) const;

 private:
  std::unique_ptr<const Tokenizer> tokenizer_;
  bert::SentenceEncoder encoder_;
};

// Finds in milliseconds what TextEmbedder would refuse, weights aside: reads
// the tokenizer and the configuration. Throws CallerError. Returns the number
// of tokens of a text that count.
std::int64_t check_text_embedder(const std::filesystem::path& directory);

// What the completions are compared with: the example's field of that name,
// or one fixed text.
struct SimilarityTarget {
  std::optional<std::string> field;
  std::optional<std::string> literal;
};

// Cosine of the embeddings of completion and target, in [-1, 1]; an empty
// completion gets 0. Targets are embedded one at a time and kept, so that
// their bits depend on nothing but the text: a resumed run, whose cache is
// empty, computes the same rewards.
class SimilarityReward : public Reward {
 public:
  // Throws CallerError unless exactly one kind of target is given.
  SimilarityReward(
      std::string name,
      std::shared_ptr<const TextEmbedder> embedder,
      SimilarityTarget target);

 protected:
  std::vector<double> compute(
      const RewardBatch& batch, RewardMemo& memo) const override;

 private:
  // Targets kept; beyond that the cache starts afresh.
  static constexpr std::size_t kMaxCached = 20'000;

  const std::string& target_text(const Example& example) const;
  at::Tensor target_embedding(const std::string& text) const;

  std::shared_ptr<const TextEmbedder> embedder_;
  SimilarityTarget target_;
  mutable std::mutex mutex_;
  mutable std::unordered_map<std::string, at::Tensor> cache_;  // [dimension]
};

}  // namespace moft
