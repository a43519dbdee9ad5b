#include "moft/models/t5/decoding.h"

#include <algorithm>
#include <map>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"
#include "moft/kernels/attention.h"
#include "moft/kernels/padding.h"

namespace moft {
namespace {

at::Tensor long_tensor(const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong);
}

}  // namespace

T5DecodeSession::T5DecodeSession(const T5Model& model, const DecodeBatch& batch)
    : model_(model),
      device_(model.device()),
      first_steered_(model.steerable().first_steered_layer),
      all_rows_(static_cast<std::int64_t>(batch.rows.size())),
      recording_(batch.record_features) {
  check(batch);
  pair_rows(batch);
  T5Sequences pairs;
  std::vector<std::int64_t> steering_of_pair;
  for (const Pair& pair : pairs_) {
    const auto prompt = static_cast<std::size_t>(pair.prompt);
    pairs.lengths.push_back(
        static_cast<std::int64_t>(batch.prompts[prompt].size()));
    steering_of_pair.push_back(pair.steering);
  }
  pairs.steering =
      RowSteering::per_row(batch.steerings, steering_of_pair, device_);
  look_at_prompts(batch, pairs);
  const at::NoGradGuard no_gradient;
  prompt_lengths_ =
      long_tensor(pairs.lengths).to(device_).index_select(0, pair_of_row_);
  allocate(batch.max_new_tokens);
  step(std::vector<std::int64_t>(rows_.size(), model_.config().start_token));
}

void T5DecodeSession::check(const DecodeBatch& batch) const {
  TORCH_CHECK(!batch.rows.empty(), "[decode] a batch needs at least one row");
  for (const DecodeRow& row : batch.rows) {
    const auto& prompt = batch.prompts.at(static_cast<std::size_t>(row.prompt));
    if (prompt.empty()) {
      throw_caller_error(
          "prompt {} has no tokens; give at least one token to read",
          row.prompt);
    }
    check_vocabulary(prompt, model_.config().vocabulary);
  }
}

void T5DecodeSession::pair_rows(const DecodeBatch& batch) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> seen;
  std::vector<std::int64_t> pair_of_row;
  std::vector<std::int64_t> steering_of_row;
  for (const DecodeRow& row : batch.rows) {
    const auto key = std::pair(row.prompt, row.steering);
    const auto next = static_cast<std::int64_t>(pairs_.size());
    const auto [entry, added] = seen.try_emplace(key, next);
    if (added) pairs_.push_back({row.prompt, row.steering});
    pair_of_row.push_back(entry->second);
    steering_of_row.push_back(row.steering);
    rows_.push_back(static_cast<std::int64_t>(rows_.size()));
  }
  slots_ = long_tensor(rows_).to(device_);
  pair_of_row_ = long_tensor(pair_of_row).to(device_);
  alive_steering_ =
      RowSteering::per_row(batch.steerings, steering_of_row, device_);
  TORCH_CHECK(
      !(recording_ || batch.keep_graph) ||
          pairs_.size() == batch.prompts.size(),
      "[decode] features can be recorded with one steering per prompt only");
}

at::Tensor T5DecodeSession::encode(
    const DecodeBatch& batch, const T5Sequences& pairs) {
  T5Sequences prompts;
  prompts.steering = RowSteering::uniform(batch.steerings.at(0));
  std::vector<std::int64_t> offsets{0};
  std::vector<std::int64_t> all_ids;
  for (const TokenIds& prompt : batch.prompts) {
    prompts.lengths.push_back(static_cast<std::int64_t>(prompt.size()));
    all_ids.insert(all_ids.end(), prompt.begin(), prompt.end());
    offsets.push_back(static_cast<std::int64_t>(all_ids.size()));
  }
  std::vector<std::int64_t> expand;
  for (const Pair& pair : pairs_) {
    const auto p = static_cast<std::size_t>(pair.prompt);
    for (std::int64_t t = offsets[p]; t < offsets[p + 1]; ++t)
      expand.push_back(t);
  }
  const std::int64_t layers = model_.config().encoder_layers;
  const std::int64_t shared = std::min(first_steered_, layers);
  const at::Tensor ids = long_tensor(all_ids).to(device_);
  const at::Tensor expansion = long_tensor(expand).to(device_);
  const RowSteering steering = token_steering(model_, pairs);
  at::Tensor hidden;
  if (shared == 0) {
    hidden = model_.embed(ids.index_select(0, expansion), steering);
  } else {
    at::NoGradGuard no_gradient;
    hidden = model_.embed(ids, prompts.steering);
    hidden = encode_blocks(model_, hidden, 0, shared, prompts);
    if (recording_) {
      prompt_features_ = hidden.split_with_sizes(prompts.lengths, 0);
    }
    hidden = hidden.index_select(0, expansion);
  }
  hidden = encode_blocks(model_, hidden, shared, layers, pairs);
  return model_.finish_encoder(hidden, steering);
}

// With a graph only where it is kept: it holds every activation.
void T5DecodeSession::look_at_prompts(
    const DecodeBatch& batch, const T5Sequences& pairs) {
  const at::AutoGradMode gradient(batch.keep_graph);
  const at::Tensor encoded = encode(batch, pairs);
  fill_cross_buffers(encoded, pairs, batch.keep_graph);
}

void T5DecodeSession::fill_cross_buffers(
    const at::Tensor& encoded, const T5Sequences& pairs, bool keep_graph) {
  const T5Config& c = model_.config();
  const auto places = kernels::places_of_lengths(pairs.lengths);
  const at::Tensor owner = long_tensor(places.sequence).to(device_);
  const at::Tensor position = long_tensor(places.place).to(device_);
  const RowSteering steering = pairs.steering.select(owner);
  const std::vector<std::int64_t> shape{
      static_cast<std::int64_t>(pairs_.size()),
      c.heads,
      *std::max_element(pairs.lengths.begin(), pairs.lengths.end()),
      c.head_size};
  if (keep_graph) graph_ = std::make_shared<PromptGraph>();
  const auto buffer = [&](const at::Tensor& tokens) {
    const at::NoGradGuard no_gradient;
    at::Tensor made = at::empty(shape, at::device(device_));
    kernels::store_tokens(made, tokens, owner, position);
    return made;
  };
  for (std::int64_t block = 0; block < c.decoder_layers; ++block) {
    const auto [keys, values] =
        model_.cross_keys_values(block, encoded, steering);
    if (graph_) graph_->states.insert(graph_->states.end(), {keys, values});
    cross_keys_.push_back(buffer(keys));
    cross_values_.push_back(buffer(values));
  }
}

void T5DecodeSession::allocate(std::int64_t max_new_tokens) {
  const T5Config& c = model_.config();
  const std::int64_t length = std::max<std::int64_t>(1, max_new_tokens);
  const std::vector<std::int64_t> shape{
      all_rows_, c.heads, length, c.head_size};
  for (std::int64_t block = 0; block < c.decoder_layers; ++block) {
    keys_.push_back(at::empty(shape, at::device(device_)));
    values_.push_back(at::empty(shape, at::device(device_)));
  }
  bias_ = model_.decoder_bias(length, all_rows_, alive_steering_).contiguous();
}

void T5DecodeSession::step(const std::vector<std::int64_t>& ids) {
  const std::int64_t place = fed_++;
  TORCH_CHECK(
      place < bias_.size(2),
      "[decode] more tokens than the ",
      bias_.size(2),
      " announced");
  const at::Tensor positions = at::full_like(slots_, place);
  const at::Tensor lengths = positions + 1;
  const kernels::ScoreBias bias{
      bias_.narrow(2, bias_.size(2) - fed_, fed_),
      bias_.size(0) == 1 ? at::Tensor() : slots_};
  T5Pass pass;
  pass.steering = alive_steering_;
  pass.attend = [&](std::int64_t block,
                    const at::Tensor& q,
                    const at::Tensor& k,
                    const at::Tensor& v) {
    const auto b = static_cast<std::size_t>(block);
    kernels::store_tokens(keys_[b], k, slots_, positions);
    kernels::store_tokens(values_[b], v, slots_, positions);
    return kernels::decode_attention(
               q, keys_[b], values_[b], slots_, lengths, 1.0, bias)
        .view({q.size(0), -1});
  };
  pass.cross = [&](std::int64_t block, const at::Tensor& q) {
    const auto b = static_cast<std::size_t>(block);
    return kernels::decode_attention(
               q,
               cross_keys_[b],
               cross_values_[b],
               pair_of_row_,
               prompt_lengths_,
               1.0)
        .view({q.size(0), -1});
  };
  at::Tensor hidden =
      model_.embed(long_tensor(ids).to(device_), alive_steering_);
  hidden = model_.run_decoder(hidden, 0, model_.config().decoder_layers, pass);
  logits_ = model_.head(hidden, alive_steering_);
}

void T5DecodeSession::advance(const std::vector<std::int32_t>& tokens) {
  at::NoGradGuard no_gradient;
  TORCH_CHECK(
      tokens.size() == rows_.size(),
      "[decode] advance got ",
      tokens.size(),
      " tokens for ",
      rows_.size(),
      " rows");
  step(std::vector<std::int64_t>(tokens.begin(), tokens.end()));
}

void T5DecodeSession::keep(const std::vector<std::int64_t>& places) {
  if (places.size() == rows_.size()) return;
  std::vector<std::int64_t> kept;
  for (const std::int64_t place : places) {
    kept.push_back(rows_.at(static_cast<std::size_t>(place)));
  }
  rows_ = std::move(kept);
  if (rows_.empty()) {
    logits_ = at::Tensor();
    return;
  }
  const at::Tensor chosen = long_tensor(places).to(device_);
  slots_ = slots_.index_select(0, chosen);
  pair_of_row_ = pair_of_row_.index_select(0, chosen);
  prompt_lengths_ = prompt_lengths_.index_select(0, chosen);
  alive_steering_ = alive_steering_.select(chosen);
  logits_ = logits_.index_select(0, chosen);
}

std::shared_ptr<const Features> T5DecodeSession::features() const {
  if (prompt_features_.empty()) return nullptr;
  auto features = std::make_shared<Features>();
  features->first_layer =
      std::min(first_steered_, model_.config().encoder_layers);
  features->prompts = prompt_features_;
  // The decoder's lower layers are computed again: they are few tokens.
  features->completions.resize(static_cast<std::size_t>(all_rows_));
  return features;
}

std::unique_ptr<DecodeSession> T5Model::decode(const DecodeBatch& batch) {
  return std::make_unique<T5DecodeSession>(*this, batch);
}

}  // namespace moft
