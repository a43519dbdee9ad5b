// A model that notes the steerings of everything that it computes.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "moft/models/decoder.h"
#include "moft/models/language_model.h"

namespace moft::test {

// What a model was asked for.
struct Watch {
  struct Pass {
    bool decodes = false;       // else it scores
    std::size_t steerings = 0;  // distinct
    std::size_t rows = 0;
    std::size_t given = 0;                  // steerings that a group carries
    SteeringWay way = SteeringWay::kMixed;  // of the first steered parameter
  };
  std::vector<Pass> passes;
  // Called before a pass; may throw.
  std::function<void(const Pass&)> before;
};

// `inner` seen through `watch`, which must outlive it.
class WatchedModel : public LanguageModel {
 public:
  WatchedModel(std::unique_ptr<LanguageModel> inner, Watch& watch)
      : LanguageModel(inner->device()),
        inner_(std::move(inner)),
        watch_(watch) {
    info_ = inner_->info();
    steerable_ = inner_->steerable();
  }

  at::Tensor completion_states(
      const ScoreBatch& batch, const RowSteering& steering) override {
    note({false, steering.distinct().size(), batch.completions.size()});
    return inner_->completion_states(batch, steering);
  }
  at::Tensor logits(
      const at::Tensor& states, const RowSteering& steering) const override {
    return inner_->logits(states, steering);
  }
  std::unique_ptr<Decoder> open_decoder(const DecoderLimits& limits) override {
    inner_->steerable() = steerable_;
    return std::make_unique<WatchedDecoder>(*this, limits);
  }

 private:
  class WatchedDecoder : public Decoder {
   public:
    WatchedDecoder(WatchedModel& model, const DecoderLimits& limits)
        : model_(model), inner_(model.inner_->open_decoder(limits)) {}

    Admission admit(const DecodeGroup& group) override {
      std::set<Coefficients> distinct;
      for (const DecodeRow& row : group.rows)
        distinct.insert(
            group.steerings.at(static_cast<std::size_t>(row.steering)));
      model_.note(
          {true, distinct.size(), group.rows.size(), group.steerings.size()});
      return inner_->admit(group);
    }
    ReadyRows prefill(std::int64_t tokens) override {
      return inner_->prefill(tokens);
    }
    at::Tensor step(
        std::span<const Slot> slots,
        std::span<const std::int32_t> tokens) override {
      return inner_->step(slots, tokens);
    }
    void evict(Slot slot) override { inner_->evict(slot); }
    std::shared_ptr<const Features> features() const override {
      return inner_->features();
    }
    std::shared_ptr<const PromptGraph> prompt_graph() const override {
      return inner_->prompt_graph();
    }

   private:
    WatchedModel& model_;
    std::unique_ptr<Decoder> inner_;
  };

  void note(Watch::Pass pass) {
    inner_->steerable() = steerable_;  // with what conditioning changed
    for (const auto& parameter : steerable_.parameters) {
      if (!parameter->steered()) continue;
      pass.way = parameter->way();
      break;
    }
    watch_.passes.push_back(pass);
    if (watch_.before) watch_.before(pass);
  }

  std::unique_ptr<LanguageModel> inner_;
  Watch& watch_;
};

}  // namespace moft::test
