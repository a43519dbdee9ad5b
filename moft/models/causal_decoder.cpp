// Packed prompts through the layers, then one token of each row.
#include "moft/models/causal_decoder.h"

#include <algorithm>
#include <cmath>

#include "moft/kernels/attention.h"

namespace moft {

// Sequences of prompt tokens, packed, on their way through some layers.
struct CausalDecoder::Reading {
  // Sequences that compute: their tokens' places, owners and steerings.
  std::vector<std::int64_t> slots;
  std::vector<std::int64_t> lengths;  // entries, those read before included
  std::vector<std::int64_t> offsets{0};
  std::vector<std::int64_t> positions;  // of each token
  std::vector<std::int64_t> owner;      // sequence of each token
  std::vector<Coefficients> steerings;  // of each sequence
  // Where keys and values go: token source[i] becomes an entry of a slot.
  std::vector<std::int64_t> source;
  std::vector<std::int64_t> target_slots;
  std::vector<std::int64_t> target_positions;

  void add(const Chunk& chunk, const Coefficients& steering, Slot slot) {
    for (std::int64_t t = chunk.begin; t < chunk.end; ++t) {
      positions.push_back(t);
      owner.push_back(std::ssize(slots));
    }
    slots.push_back(slot);
    lengths.push_back(chunk.end);
    offsets.push_back(std::ssize(positions));
    steerings.push_back(steering);
  }
  // The tokens of the sequence added last go to this slot.
  void store_to(Slot slot) {
    for (std::int64_t i = offsets[offsets.size() - 2]; i < offsets.back();
         ++i) {
      source.push_back(i);
      target_slots.push_back(slot);
      target_positions.push_back(positions[static_cast<std::size_t>(i)]);
    }
  }
};

CausalDecoder::CausalDecoder(
    const CausalModel& model, const DecoderLimits& limits)
    : PagedDecoder(model, model.shape(), limits),
      model_(model),
      first_steered_(model.steerable().first_steered_layer),
      scale_(1.0 / std::sqrt(static_cast<double>(model.shape().head_size))) {}

void CausalDecoder::check(
    const TokenIds& prompt, std::int64_t max_new_tokens) const {
  model_.check_tokens(prompt, std::ssize(prompt) + max_new_tokens);
}

std::int64_t CausalDecoder::entries_of(const TokenIds& prompt) const {
  return std::ssize(prompt);
}

CausalPass CausalDecoder::pass_of(const Reading& reading) const {
  kernels::PagedQueries queries;
  queries.slots = indices(reading.slots);
  queries.lengths = indices(reading.lengths);
  queries.offsets = at::tensor(reading.offsets, at::kLong);
  queries.longest =
      *std::max_element(reading.lengths.begin(), reading.lengths.end());
  // Undefined: every token goes to its own sequence.
  at::Tensor source;
  if (reading.source.size() != reading.positions.size())
    source = indices(reading.source);
  CausalPass pass;
  pass.positions = indices(reading.positions);
  pass.steering =
      RowSteering::per_row(reading.steerings, reading.owner, device());
  pass.attend = [this,
                 queries,
                 source,
                 slots = indices(reading.target_slots),
                 positions = indices(reading.target_positions)](
                    std::int64_t layer,
                    const at::Tensor& q,
                    const at::Tensor& k,
                    const at::Tensor& v) {
    const kernels::KeyValuePages own = pages(layer);
    const auto stored = [&](const at::Tensor& tokens) {
      return source.defined() ? tokens.index_select(0, source) : tokens;
    };
    kernels::store_entries(own, stored(k), stored(v), slots, positions);
    return kernels::paged_attention(q, own, queries, scale_)
        .view({q.size(0), -1});
  };
  return pass;
}

at::Tensor CausalDecoder::read(const std::vector<Chunk>& chunks) {
  Reading lower, upper;
  std::vector<std::int64_t> ids, expand, last;
  std::vector<Coefficients> ends;
  for (const Chunk& chunk : chunks) {
    const auto& pairs = chunk.prompt->pairs;
    const auto begin = chunk.prompt->ids.begin();
    const std::int64_t first = std::ssize(ids);
    ids.insert(ids.end(), begin + chunk.begin, begin + chunk.end);
    // Frozen layers compute the same under every steering.
    lower.add(chunk, chunks[0].prompt->pairs[0].steering, pairs[0].slots[0]);
    for (const Pair& pair : pairs) {
      lower.store_to(pair.slots[0]);
      upper.add(chunk, pair.steering, pair.slots[0]);
      upper.store_to(pair.slots[0]);
      for (std::int64_t t = 0; t < chunk.length(); ++t)
        expand.push_back(first + t);
      if (!chunk.is_last()) continue;
      last.push_back(std::ssize(expand) - 1);
      ends.push_back(pair.steering);
    }
  }
  const at::Tensor tokens = indices(ids);
  const auto expanded = [&](const at::Tensor& packed) {
    return expand.size() == ids.size()
               ? packed
               : packed.index_select(0, indices(expand));
  };
  const CausalPass above = pass_of(upper);
  at::Tensor hidden, lower_states;
  if (first_steered_ == 0) {
    hidden = model_.embed(expanded(tokens), above.steering);
  } else {
    const CausalPass below = pass_of(lower);
    hidden = model_.embed(tokens, below.steering);
    hidden = model_.run_layers(hidden, 0, first_steered_, below);
    lower_states = hidden;
    hidden = expanded(hidden);
  }
  hidden =
      model_.run_layers(hidden, first_steered_, model_.shape().layers, above);
  at::Tensor logits;
  if (!last.empty()) {
    std::vector<std::int64_t> counting;
    for (std::size_t i = 0; i < ends.size(); ++i)
      counting.push_back(static_cast<std::int64_t>(i));
    logits = model_.head(
        hidden.index_select(0, indices(last)),
        RowSteering::per_row(ends, counting, device()));
  }
  // Last: a read that throws records nothing.
  if (lower_states.defined()) record_prompts(lower_states, chunks);
  return logits;
}

at::Tensor CausalDecoder::feed(const at::Tensor& ids, const Turn& turn) {
  CausalPass pass;
  pass.positions = turn.positions;
  pass.steering = turn.steering;
  pass.attend = [&](std::int64_t layer,
                    const at::Tensor& q,
                    const at::Tensor& k,
                    const at::Tensor& v) {
    const kernels::KeyValuePages own = pages(layer);
    kernels::store_entries(own, k, v, turn.slots, turn.positions);
    return kernels::paged_attention(q, own, turn.queries, scale_)
        .view({q.size(0), -1});
  };
  at::Tensor hidden = model_.embed(ids, turn.steering);
  hidden = model_.run_layers(hidden, 0, first_steered_, pass);
  const at::Tensor lower_states = hidden;
  hidden =
      model_.run_layers(hidden, first_steered_, model_.shape().layers, pass);
  at::Tensor logits = model_.head(hidden, turn.steering);
  record_step(lower_states, turn);  // last: a step that throws records nothing
  return logits;
}

void CausalDecoder::pair_admitted(const Prompt& prompt, const Pair& pair) {
  if (!prompt.recorded || first_steered_ == 0) return;
  for (const Slot slot : pair.slots)
    recorded_[slot] = 0;
  // Rows of the group have rising slots.
  std::size_t row = 0;
  for (auto& [slot, index] : recorded_)
    index = row++;
  step_features_.resize(row);
}

void CausalDecoder::row_evicted(Slot slot) {
  recorded_.erase(slot);
}

void CausalDecoder::record_prompts(
    const at::Tensor& hidden, const std::vector<Chunk>& chunks) {
  std::int64_t begin = 0;
  for (const Chunk& chunk : chunks) {
    if (chunk.prompt->recorded)
      prompt_features_.push_back(hidden.narrow(0, begin, chunk.length()));
    begin += chunk.length();
  }
}

void CausalDecoder::record_step(const at::Tensor& hidden, const Turn& turn) {
  if (recorded_.empty()) return;
  for (std::size_t i = 0; i < turn.rows.size(); ++i) {
    const auto found = recorded_.find(turn.rows[i]);
    if (found == recorded_.end()) continue;
    step_features_[found->second].push_back(
        hidden.narrow(0, static_cast<std::int64_t>(i), 1));
  }
}

std::shared_ptr<const Features> CausalDecoder::features() const {
  if (prompt_features_.empty()) return nullptr;
  auto features = std::make_shared<Features>();
  features->first_layer = first_steered_;
  features->prompts = prompt_features_;
  const std::int64_t width = model_.info().width;
  for (const auto& steps : step_features_) {
    features->completions.push_back(
        steps.empty() ? at::empty({0, width}, at::device(device()))
                      : at::cat(steps));
  }
  return features;
}

std::unique_ptr<Decoder> CausalModel::open_decoder(
    const DecoderLimits& limits) {
  return std::make_unique<CausalDecoder>(*this, limits);
}

}  // namespace moft
