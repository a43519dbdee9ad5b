// Decoding with decoder-only models (moft/models/decoder.h).
//
// A prompt is computed once below the first steered layer and once per
// steering above it.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "moft/models/causal_model.h"
#include "moft/models/paged_decoder.h"

namespace moft {

class CausalDecoder : public PagedDecoder {
 public:
  // REQUIRES model to outlive the decoder.
  CausalDecoder(const CausalModel& model, const DecoderLimits& limits);

  std::shared_ptr<const Features> features() const override;

 protected:
  void check(
      const TokenIds& prompt, std::int64_t max_new_tokens) const override;
  std::int64_t entries_of(const TokenIds& prompt) const override;
  void pair_admitted(const Prompt& prompt, const Pair& pair) override;
  void row_evicted(Slot slot) override;
  at::Tensor read(const std::vector<Chunk>& chunks) override;
  at::Tensor feed(const at::Tensor& ids, const Turn& turn) override;

 private:
  struct Reading;

  CausalPass pass_of(const Reading& reading) const;
  void record_prompts(
      const at::Tensor& hidden, const std::vector<Chunk>& chunks);
  void record_step(const at::Tensor& hidden, const Turn& turn);

  const CausalModel& model_;
  std::int64_t first_steered_;
  double scale_;
  std::vector<at::Tensor> prompt_features_;             // P
  std::vector<std::vector<at::Tensor>> step_features_;  // B x steps
  std::map<Slot, std::size_t> recorded_;                // rows of the group
};

}  // namespace moft
