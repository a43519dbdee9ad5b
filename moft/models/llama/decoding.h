// Decoding with static key/value buffers.
//
// The prompt is computed once below the first steered layer, once per
// (prompt, steering) pair above it; its keys and values are then copied into
// one buffer per row. Finished rows leave: later steps compute only the rows
// that are alive.
//
// Guarantee (CPU float32): a row's logits depend on its own tokens and
// steering alone, bit for bit: not on its neighbours, the batch size, or the
// number of threads. (Full copies under more than m + 1 distinct steerings
// agree to rounding only: SteeredLinear's wide product.)
//
// Memory: rows * (longest prompt + max_new_tokens) * 2 * kv_heads * head_size
// floats per layer.
#pragma once

#include <memory>
#include <vector>

#include "moft/models/llama/model.h"

namespace moft {

class LlamaDecodeSession : public DecodeSession {
 public:
  // REQUIRES model to outlive the session.
  LlamaDecodeSession(const LlamaModel& model, const DecodeBatch& batch);

  void advance(const std::vector<std::int32_t>& tokens) override;
  void keep(const std::vector<std::int64_t>& places) override;
  std::shared_ptr<const Features> features() const override;

 private:
  struct Pair {
    std::int64_t prompt;
    std::int64_t steering;
  };
  void check(const DecodeBatch& batch) const;
  void pair_rows(const DecodeBatch& batch);
  void allocate(const DecodeBatch& batch);
  void prefill(const DecodeBatch& batch);
  at::Tensor attend_prefill(
      std::int64_t layer,
      const at::Tensor& q,
      const at::Tensor& k,
      const at::Tensor& v,
      const at::Tensor& offsets,
      const at::Tensor& source);
  void record(const at::Tensor& hidden);
  void refresh_row_tensors();

  const LlamaModel& model_;
  at::Device device_;
  std::int64_t first_steered_;
  std::vector<Pair> pairs_;
  std::vector<std::int64_t> pair_of_row_;
  std::vector<at::Tensor> keys_;  // per layer [B, kv_heads, max_len, size]
  std::vector<at::Tensor> values_;
  RowSteering row_steering_;           // of all B rows
  RowSteering alive_steering_;         // of rows()
  std::vector<std::int64_t> lengths_;  // [B] tokens in the buffers
  at::Tensor slots_;                   // int64 [alive]
  at::Tensor store_slots_;             // for prompt tokens, int64
  at::Tensor store_positions_;
  double scale_;
  bool recording_;
  std::vector<at::Tensor> prompt_features_;             // P
  std::vector<std::vector<at::Tensor>> step_features_;  // B x steps
};

}  // namespace moft
