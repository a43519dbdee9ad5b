// Decoding with static key/value buffers.
//
// The encoder runs once per prompt below the first steered layer and once per
// (prompt, steering) pair above it; each decoder block's keys and values over
// the encoded prompt are computed once per pair and read by all of its rows.
// The decoder's own keys and values have one buffer per row. Finished rows
// leave: later steps compute only the rows that are alive.
//
// Guarantee (CPU float32): a row's logits depend on its own tokens and
// steering alone, bit for bit: not on its neighbours, the batch size, or the
// number of threads. (Full copies under more than m + 1 distinct steerings
// agree to rounding only: SteeredLinear's wide product.)
//
// Memory: per decoder layer, 2 * width floats for every token of (pairs *
// longest prompt) and of (rows * max_new_tokens).
#pragma once

#include <memory>
#include <vector>

#include "moft/models/t5/encoding.h"
#include "moft/models/t5/model.h"

namespace moft {

class T5DecodeSession : public DecodeSession {
 public:
  // REQUIRES model to outlive the session.
  T5DecodeSession(const T5Model& model, const DecodeBatch& batch);

  void advance(const std::vector<std::int32_t>& tokens) override;
  void keep(const std::vector<std::int64_t>& places) override;
  std::shared_ptr<const Features> features() const override;
  std::shared_ptr<const PromptGraph> prompt_graph() const override {
    return graph_;
  }

 private:
  struct Pair {
    std::int64_t prompt;
    std::int64_t steering;
  };
  void check(const DecodeBatch& batch) const;
  void pair_rows(const DecodeBatch& batch);
  // Returns the encoder's states [tokens of all pairs, width].
  at::Tensor encode(const DecodeBatch& batch, const T5Sequences& pairs);
  void look_at_prompts(const DecodeBatch& batch, const T5Sequences& pairs);
  void fill_cross_buffers(
      const at::Tensor& encoded, const T5Sequences& pairs, bool keep_graph);
  void allocate(std::int64_t max_new_tokens);
  // Feeds one token per row of rows().
  void step(const std::vector<std::int64_t>& ids);

  const T5Model& model_;
  at::Device device_;
  std::int64_t first_steered_;
  std::vector<Pair> pairs_;
  std::vector<at::Tensor> keys_;  // per block [B, heads, max_new, size]
  std::vector<at::Tensor> values_;
  std::vector<at::Tensor>
      cross_keys_;  // per block [pairs, heads, longest, size]
  std::vector<at::Tensor> cross_values_;
  at::Tensor bias_;             // [1 or B, heads, max_new], nearest last
  RowSteering alive_steering_;  // of rows()
  at::Tensor slots_;            // int64 [alive]: rows()
  at::Tensor pair_of_row_;      // int64 [alive]
  at::Tensor prompt_lengths_;   // int64 [alive]
  std::int64_t fed_ = 0;        // tokens in every row's buffer
  std::int64_t all_rows_;       // B
  bool recording_;
  std::vector<at::Tensor> prompt_features_;  // P
  // Keys and values of each block over all prompts, [tokens, heads, size].
  std::shared_ptr<PromptGraph> graph_;
};

}  // namespace moft
