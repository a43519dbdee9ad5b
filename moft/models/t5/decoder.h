// Decoding with T5 (moft/models/decoder.h).
//
// The encoder reads a prompt once below the first steered layer and once per
// steering above it; each decoder block's keys and values over the encoded
// prompt lie in pages that all rows of the pair share. Reading a prompt ends
// with the start token, the first entry of the rows' own pages. Prompts are
// read whole: the encoder looks both ways.
#pragma once

#include <memory>
#include <vector>

#include "moft/models/paged_decoder.h"
#include "moft/models/t5/encoding.h"
#include "moft/models/t5/model.h"

namespace moft {

class T5Decoder : public PagedDecoder {
 public:
  // REQUIRES model to outlive the decoder.
  T5Decoder(const T5Model& model, const DecoderLimits& limits);

  std::shared_ptr<const Features> features() const override;
  std::shared_ptr<const PromptGraph> prompt_graph() const override {
    return graph_;
  }

 protected:
  void check(
      const TokenIds& prompt, std::int64_t max_new_tokens) const override;
  std::int64_t entries_of(const TokenIds& prompt) const override;
  std::int64_t pages_beside(const TokenIds& prompt) const override;
  bool reads_in_chunks() const override { return false; }
  void pair_admitted(const Prompt& prompt, const Pair& pair) override;
  void row_evicted(Slot slot) override;
  at::Tensor read(const std::vector<Chunk>& chunks) override;
  at::Tensor feed(const at::Tensor& ids, const Turn& turn) override;

 private:
  struct Encoding;  // pairs on their way through the encoder

  at::Tensor encode(
      const std::vector<Chunk>& chunks,
      const Encoding& pairs,
      std::vector<at::Tensor>& features) const;
  void store_cross(
      const at::Tensor& encoded, const Encoding& pairs, bool keep_graph);
  kernels::KeyValuePages cross_pages(std::int64_t block);
  void look_at(const Turn& turn);

  const T5Model& model_;
  std::int64_t first_steered_;
  // By slot: pages of the encoded prompt and its tokens.
  std::vector<std::vector<PageId>> cross_pages_;
  std::vector<std::int64_t> prompt_lengths_;
  at::Tensor cross_table_;  // of cross_pages_; undefined when they changed
  // For the turn being fed.
  kernels::PagedQueries cross_queries_;
  kernels::ScoreBias bias_;
  std::int64_t recorded_rows_ = 0;
  std::vector<at::Tensor> prompt_features_;  // P
  // Keys and values of each block over all prompts, [tokens, heads, size].
  std::shared_ptr<PromptGraph> graph_;
};

}  // namespace moft
