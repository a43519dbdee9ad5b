// Encoded prompts into shared pages, then one token of each row.
#include "moft/models/t5/decoder.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"
#include "moft/kernels/attention.h"
#include "moft/kernels/padding.h"

namespace moft {

struct T5Decoder::Encoding {
  T5Sequences sequences;
  std::vector<Slot> slots;           // the first of each pair
  std::vector<std::int64_t> expand;  // of each token, its place among prompts'
};

T5Decoder::T5Decoder(const T5Model& model, const DecoderLimits& limits)
    : PagedDecoder(
          model,
          {model.config().decoder_layers,
           model.config().heads,
           model.config().head_size},
          limits),
      model_(model),
      first_steered_(model.steerable().first_steered_layer) {}

void T5Decoder::check(
    const TokenIds& prompt, std::int64_t /*max_new_tokens*/) const {
  check_vocabulary(prompt, model_.config().vocabulary);
}

// The start token.
std::int64_t T5Decoder::entries_of(const TokenIds& /*prompt*/) const {
  return 1;
}

std::int64_t T5Decoder::pages_beside(const TokenIds& prompt) const {
  return pages_of(std::ssize(prompt));
}

void T5Decoder::pair_admitted(const Prompt& prompt, const Pair& pair) {
  const auto pages = pool().take(pages_beside(prompt.ids));
  for (std::size_t i = 0; i < pair.slots.size(); ++i) {
    const auto slot = static_cast<std::size_t>(pair.slots[i]);
    if (i > 0) pool().share(pages);
    if (cross_pages_.size() <= slot) {
      cross_pages_.resize(slot + 1);
      prompt_lengths_.resize(slot + 1);
    }
    cross_pages_[slot] = pages;
    prompt_lengths_[slot] = std::ssize(prompt.ids);
  }
  cross_table_ = at::Tensor();
  if (prompt.recorded) recorded_rows_ += std::ssize(pair.slots);
}

void T5Decoder::row_evicted(Slot slot) {
  auto& pages = cross_pages_[static_cast<std::size_t>(slot)];
  pool().give_back(pages);
  pages.clear();
}

kernels::KeyValuePages T5Decoder::cross_pages(std::int64_t block) {
  if (!cross_table_.defined())
    cross_table_ = block_table(cross_pages_, device());
  return {pool().keys(block), pool().values(block), cross_table_};
}

at::Tensor T5Decoder::read(const std::vector<Chunk>& chunks) {
  Encoding pairs;
  std::vector<Coefficients> steerings;
  std::vector<std::int64_t> counting;
  std::int64_t first = 0;
  for (const Chunk& chunk : chunks) {
    for (const Pair& pair : chunk.prompt->pairs) {
      counting.push_back(std::ssize(steerings));
      steerings.push_back(pair.steering);
      pairs.slots.push_back(pair.slots[0]);
      pairs.sequences.lengths.push_back(chunk.length());
      for (std::int64_t t = 0; t < chunk.length(); ++t)
        pairs.expand.push_back(first + t);
    }
    first += chunk.length();
  }
  pairs.sequences.steering =
      RowSteering::per_row(steerings, counting, device());
  std::vector<at::Tensor> features;
  {
    // With a graph only where it is kept: it holds every activation.
    const bool keep_graph = chunks[0].prompt->keeps_graph;
    const at::AutoGradMode gradient(keep_graph);
    store_cross(encode(chunks, pairs, features), pairs, keep_graph);
  }
  const Turn turn =
      turn_of(pairs.slots, std::vector<std::int64_t>(pairs.slots.size(), 0));
  const std::vector<std::int64_t> starts(
      pairs.slots.size(), model_.config().start_token);
  at::Tensor logits = feed(indices(starts), turn);
  // Last: a read that throws records nothing.
  prompt_features_.insert(
      prompt_features_.end(), features.begin(), features.end());
  return logits;
}

// The encoder's states [tokens of all pairs, width]; adds to `features`.
at::Tensor T5Decoder::encode(
    const std::vector<Chunk>& chunks,
    const Encoding& pairs,
    std::vector<at::Tensor>& features) const {
  T5Sequences prompts;
  prompts.steering = RowSteering::uniform(chunks[0].prompt->pairs[0].steering);
  std::vector<std::int64_t> all_ids;
  for (const Chunk& chunk : chunks) {
    const TokenIds& ids = chunk.prompt->ids;
    prompts.lengths.push_back(chunk.length());
    all_ids.insert(all_ids.end(), ids.begin(), ids.end());
  }
  const std::int64_t layers = model_.config().encoder_layers;
  const std::int64_t shared = std::min(first_steered_, layers);
  const at::Tensor ids = indices(all_ids);
  const at::Tensor expansion = indices(pairs.expand);
  const RowSteering steering = token_steering(model_, pairs.sequences);
  at::Tensor hidden;
  if (shared == 0) {
    hidden = model_.embed(ids.index_select(0, expansion), steering);
  } else {
    const at::NoGradGuard no_gradient;
    hidden = model_.embed(ids, prompts.steering);
    hidden = encode_blocks(model_, hidden, 0, shared, prompts);
    const auto parts = hidden.split_with_sizes(prompts.lengths, 0);
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      if (chunks[i].prompt->recorded) features.push_back(parts[i]);
    }
    hidden = hidden.index_select(0, expansion);
  }
  hidden = encode_blocks(model_, hidden, shared, layers, pairs.sequences);
  return model_.finish_encoder(hidden, steering);
}

void T5Decoder::store_cross(
    const at::Tensor& encoded, const Encoding& pairs, bool keep_graph) {
  const auto places = kernels::places_of_lengths(pairs.sequences.lengths);
  std::vector<std::int64_t> slots;
  for (const std::int64_t sequence : places.sequence)
    slots.push_back(pairs.slots[static_cast<std::size_t>(sequence)]);
  const at::Tensor slot = indices(slots);
  const at::Tensor position = indices(places.place);
  const RowSteering steering = token_steering(model_, pairs.sequences);
  if (keep_graph) graph_ = std::make_shared<PromptGraph>();
  for (std::int64_t b = 0; b < model_.config().decoder_layers; ++b) {
    const auto [keys, values] = model_.cross_keys_values(b, encoded, steering);
    if (keep_graph) {
      graph_->states.insert(graph_->states.end(), {keys, values});
    }
    kernels::store_entries(cross_pages(b), keys, values, slot, position);
  }
}

// What stays the same as long as the same rows are fed.
void T5Decoder::look_at(const Turn& turn) {
  std::vector<std::int64_t> lengths;
  for (const Slot slot : turn.rows)
    lengths.push_back(prompt_lengths_[static_cast<std::size_t>(slot)]);
  cross_queries_.slots = turn.slots;
  cross_queries_.lengths = indices(lengths);
  cross_queries_.longest = *std::max_element(lengths.begin(), lengths.end());
  const std::int64_t rows = std::ssize(turn.rows);
  bias_.values =
      model_.distance_bias(model_.decoder(), turn.capacity, rows, turn.steering)
          .contiguous();
  bias_.tables = at::Tensor();
  if (bias_.values.size(0) > 1)
    bias_.tables = at::arange(rows, at::device(device()).dtype(at::kLong));
}

at::Tensor T5Decoder::feed(const at::Tensor& ids, const Turn& turn) {
  if (turn.is_new) look_at(turn);
  T5Pass pass;
  pass.steering = turn.steering;
  pass.attend = [&](std::int64_t block,
                    const at::Tensor& q,
                    const at::Tensor& k,
                    const at::Tensor& v) {
    const kernels::KeyValuePages own = pages(block);
    kernels::store_entries(own, k, v, turn.slots, turn.positions);
    return kernels::paged_attention(q, own, turn.queries, 1.0, bias_)
        .view({q.size(0), -1});
  };
  pass.cross = [&](std::int64_t block, const at::Tensor& q) {
    return kernels::paged_attention(q, cross_pages(block), cross_queries_, 1.0)
        .view({q.size(0), -1});
  };
  at::Tensor hidden = model_.embed(ids, turn.steering);
  hidden = model_.run_blocks(
      model_.decoder(), hidden, 0, model_.config().decoder_layers, pass);
  return model_.head(hidden, turn.steering);
}

std::shared_ptr<const Features> T5Decoder::features() const {
  if (prompt_features_.empty()) return nullptr;
  auto features = std::make_shared<Features>();
  features->first_layer =
      std::min(first_steered_, model_.config().encoder_layers);
  features->prompts = prompt_features_;
  // The decoder's lower layers are computed again: they are few tokens.
  features->completions.resize(static_cast<std::size_t>(recorded_rows_));
  return features;
}

std::unique_ptr<Decoder> T5Model::open_decoder(const DecoderLimits& limits) {
  return std::make_unique<T5Decoder>(*this, limits);
}

}  // namespace moft
