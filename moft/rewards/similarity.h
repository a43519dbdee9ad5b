// The reward kind `similarity`: for answers that mean the same as a text of the
// example.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "moft/core/fields.h"
#include "moft/models/bert/sentence_encoder.h"
#include "moft/rewards/model_reward.h"
#include "moft/rewards/reward_kind.h"
#include "moft/tokenizers/tokenizer.h"

namespace moft {

// Cosine similarity of sentence embeddings of the completion and of one field
// of the example (not of the prompt, which carries chat markup).
struct SimilarityOptions {
  std::string model;
  std::string field;
  std::int64_t longest_quote = 0;

  template <class V>
  void fields(V& v) {
    v("model",
      model,
      Help{"the sentence encoder: a Hugging Face directory (BERT shape)"},
      Required{},
      Path{});
    v("field",
      field,
      Help{"the example's field that the completion is compared with"},
      Required{});
    v("longest_quote",
      longest_quote,
      Help{"runs of more words than this that the completion copies from the "
           "field are left out of it first; 0: all its words count"},
      at_least(0));
  }
};

// A sentence encoder with its tokenizer: text to unit vectors.
//
// Thread safety: as the encoder's, calls may run at once.
class TextEmbedder {
 public:
  // `directory`: a sentence-transformers directory (BERT shape) with
  // tokenizer.json. Throws CallerError as the loaders do.
  TextEmbedder(const std::filesystem::path& directory, at::Device device);

  // [texts, dimension] float32 on the CPU, rows of length 1. Special tokens
  // written in a text are ordinary text. A text longer than window() is cut
  // off there; `on_long` is called with the index and the tokens
  // of each.
  using OnLong = std::function<void(std::size_t text, std::int64_t tokens)>;
  at::Tensor embed(
      const std::vector<std::string>& texts,
      const OnLong& on_long = nullptr) const;
  // Tokens of a text that are read at most, [CLS] and [SEP] included.
  std::int64_t window() const { return encoder_.options().max_tokens; }

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
  // Runs of more words that a completion copies are left out of it before the
  // comparison (own_words.h); 0: none are.
  std::int64_t longest_quote = 0;
};

// Texts that an encoder reads the beginning of alone.
struct LongTexts {
  std::int64_t count = 0;
  std::int64_t longest = 0;  // tokens
  std::int64_t window = 0;   // tokens
  std::string first;         // the place of the first, "train.jsonl:3"
};

// Examines the examples' field as a similarity reward with the encoder in
// `directory` would read it; loads the tokenizer, no weights. CallerError as
// the loaders do and for an example without the field, which `user` needs.
LongTexts find_long_texts(
    const std::filesystem::path& directory,
    const std::vector<Example>& examples,
    const std::string& field,
    const std::string& user);

// Cosine of the embeddings of completion and target, in [-1, 1]; an empty
// completion gets 0, and so does one that is nothing but copied runs. Targets
// are embedded one at a time and kept, so that their bits depend on nothing but
// the text: a resumed run, whose cache is empty, computes the same rewards. The
// first target and the first completion that are longer than the encoder's
// window are warned of.
class SimilarityReward : public ModelReward {
 public:
  // Throws CallerError unless exactly one kind of target is given.
  SimilarityReward(
      std::string name,
      std::shared_ptr<const TextEmbedder> embedder,
      SimilarityTarget target);

 protected:
  std::vector<double> compute_chunk(const RewardBatch& batch) const override;

 private:
  // Targets kept; beyond that the cache starts afresh.
  static constexpr std::size_t kMaxCached = 20'000;

  const std::string& target_text(const Example& example) const;
  // The words of a completion that count.
  std::string compared_text(
      const std::string& completion, const std::string& target) const;
  at::Tensor target_embedding(
      const std::string& text, const std::string& where) const;
  void warn_once(
      std::atomic<bool>& warned,
      const std::string& what,
      std::int64_t tokens) const;

  std::shared_ptr<const TextEmbedder> embedder_;
  SimilarityTarget target_;
  mutable std::atomic<bool> warned_of_target_ = false;
  mutable std::atomic<bool> warned_of_answer_ = false;
  mutable std::mutex mutex_;
  mutable std::unordered_map<std::string, at::Tensor> cache_;  // [dimension]
};

RewardKind similarity_kind();

}  // namespace moft
