// Texts to unit vectors, as sentence-transformers does with a BERT-shaped
// model: truncate, encode, pool over the tokens, scale to length one.
// Reimers and Gurevych, "Sentence-BERT", EMNLP 2019, arXiv 1908.10084.
//
// Knows token ids, not text: tokenising is the caller's.
//
// Thread safety: calls may come from several threads; they wait for each other.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include <ATen/ATen.h>

#include "moft/models/headed_model.h"

namespace moft::bert {

struct SentenceOptions {
  ReadAt pooling = ReadAt::kMean;
  // Longer texts keep their first max_tokens - 1 ids and their last ([SEP]).
  std::int64_t max_tokens = 256;
  // Tokens encoded at once: bounds the memory of one call.
  std::int64_t tokens_per_pass = 4096;
};

class SentenceEncoder {
 public:
  // Throws CallerError when max_tokens is below 2 or above what the model has
  // positions for.
  SentenceEncoder(
      std::shared_ptr<SequenceModel> model, SentenceOptions options);

  std::int64_t dimension() const { return model_.outputs(); }
  const SentenceOptions& options() const { return options_; }
  const ModelInfo& info() const { return model_.model().info(); }

  // texts: ids with [CLS] and [SEP]. Returns [texts, dimension] float32 on the
  // CPU, each row of Euclidean length 1. Throws as SequenceModel does.
  at::Tensor embed(std::span<const TokenIds> texts) const;

 private:
  at::Tensor embed_pass(const std::vector<TokenIds>& texts) const;

  HeadedModel model_;  // without a head: pooled states
  SentenceOptions options_;
  mutable std::mutex mutex_;  // the model serves one thread at a time
};

// What the files beside the weights say.
struct EncoderShape {
  std::int64_t vocab_size = 0;
  std::int64_t max_tokens = 0;  // of a text; the rest is cut off
  ReadAt pooling = ReadAt::kMean;
};

// Reads config.json and, where they exist, sentence_bert_config.json
// (max_seq_length), tokenizer_config.json (model_max_length), modules.json,
// 1_Pooling/config.json and config_sentence_transformers.json, but no weights:
// a preflight takes milliseconds. Both layouts, before and after version 5.4 of
// sentence-transformers. Throws CallerError for another architecture, a pooling
// other than mean and cls, or a module chain other than Transformer, Pooling[,
// Normalize].
EncoderShape read_encoder_shape(const std::filesystem::path& directory);

// The same and model.safetensors.
SentenceEncoder load_sentence_encoder(
    const std::filesystem::path& directory, at::Device device = at::kCPU);

}  // namespace moft::bert
