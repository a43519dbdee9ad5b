#include "moft/models/llama/decoding.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"
#include "moft/kernels/attention.h"

namespace moft {
namespace {

at::Tensor long_tensor(const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong);
}

struct Ragged {
  std::vector<std::int64_t> offsets{0};
  std::vector<std::int64_t> positions;
  std::vector<std::int64_t> owner;  // sequence of each token
};

Ragged ragged(const std::vector<std::int64_t>& lengths) {
  Ragged result;
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    for (std::int64_t t = 0; t < lengths[s]; ++t) {
      result.positions.push_back(t);
      result.owner.push_back(static_cast<std::int64_t>(s));
    }
    result.offsets.push_back(result.offsets.back() + lengths[s]);
  }
  return result;
}

}  // namespace

LlamaDecodeSession::LlamaDecodeSession(
    const LlamaModel& model, const DecodeBatch& batch)
    : model_(model),
      device_(model.device()),
      first_steered_(model.steerable().first_steered_layer),
      scale_(1.0 / std::sqrt(static_cast<double>(model.config().head_size))),
      recording_(batch.record_features) {
  at::NoGradGuard no_gradient;
  check(batch);
  pair_rows(batch);
  allocate(batch);
  prefill(batch);
}

void LlamaDecodeSession::check(const DecodeBatch& batch) const {
  TORCH_CHECK(!batch.rows.empty(), "[decode] a batch needs at least one row");
  for (const DecodeRow& row : batch.rows) {
    const auto& prompt = batch.prompts.at(static_cast<std::size_t>(row.prompt));
    if (prompt.empty()) {
      throw_caller_error(
          "prompt {} has no tokens; give at least one token to continue from",
          row.prompt);
    }
    const auto length = static_cast<std::int64_t>(prompt.size());
    model_.check_tokens(prompt, length + batch.max_new_tokens);
  }
}

void LlamaDecodeSession::pair_rows(const DecodeBatch& batch) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> seen;
  std::vector<std::int64_t> steering_of_row;
  for (const DecodeRow& row : batch.rows) {
    const auto key = std::pair(row.prompt, row.steering);
    const auto next = static_cast<std::int64_t>(pairs_.size());
    const auto [entry, added] = seen.try_emplace(key, next);
    if (added) pairs_.push_back({row.prompt, row.steering});
    pair_of_row_.push_back(entry->second);
    steering_of_row.push_back(row.steering);
  }
  row_steering_ =
      RowSteering::per_row(batch.steerings, steering_of_row, device_);
  alive_steering_ = row_steering_;
  TORCH_CHECK(
      !recording_ || pairs_.size() == batch.prompts.size(),
      "[decode] features can be recorded with one steering per prompt only");
}

void LlamaDecodeSession::allocate(const DecodeBatch& batch) {
  std::int64_t longest = 0;
  std::vector<std::int64_t> slots;
  std::vector<std::int64_t> positions;
  for (std::size_t r = 0; r < batch.rows.size(); ++r) {
    const auto prompt = static_cast<std::size_t>(batch.rows[r].prompt);
    const auto length = static_cast<std::int64_t>(batch.prompts[prompt].size());
    longest = std::max(longest, length);
    lengths_.push_back(length);
    rows_.push_back(static_cast<std::int64_t>(r));
    for (std::int64_t t = 0; t < length; ++t) {
      slots.push_back(static_cast<std::int64_t>(r));
      positions.push_back(t);
    }
  }
  store_slots_ = long_tensor(slots).to(device_);
  store_positions_ = long_tensor(positions).to(device_);
  const LlamaConfig& c = model_.config();
  const std::vector<std::int64_t> shape{
      static_cast<std::int64_t>(rows_.size()),
      c.kv_heads,
      longest + batch.max_new_tokens,
      c.head_size};
  for (std::int64_t layer = 0; layer < c.layers; ++layer) {
    keys_.push_back(at::empty(shape, at::device(device_)));
    values_.push_back(at::empty(shape, at::device(device_)));
  }
  refresh_row_tensors();
}

// Computes prompts packed one after the other and fills the rows' buffers.
// `source` says which packed token each buffered token comes from.
at::Tensor LlamaDecodeSession::attend_prefill(
    std::int64_t layer,
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& offsets,
    const at::Tensor& source) {
  const auto l = static_cast<std::size_t>(layer);
  kernels::store_tokens(
      keys_[l], k.index_select(0, source), store_slots_, store_positions_);
  kernels::store_tokens(
      values_[l], v.index_select(0, source), store_slots_, store_positions_);
  const at::Tensor out = kernels::prefill_attention(q, k, v, offsets, scale_);
  return out.view({q.size(0), -1});
}

void LlamaDecodeSession::prefill(const DecodeBatch& batch) {
  const auto length_of = [&](std::int64_t prompt) {
    const auto& ids = batch.prompts[static_cast<std::size_t>(prompt)];
    return static_cast<std::int64_t>(ids.size());
  };
  const auto run = [&](at::Tensor hidden,
                       const std::vector<std::int64_t>& lengths,
                       const std::vector<std::int64_t>& sequence_of_row,
                       const RowSteering& sequence_steering,
                       std::int64_t begin,
                       std::int64_t end) {
    if (begin == end) return hidden;
    const Ragged tokens = ragged(lengths);
    std::vector<std::int64_t> source;
    for (const std::int64_t sequence : sequence_of_row) {
      const auto s = static_cast<std::size_t>(sequence);
      for (std::int64_t t = 0; t < lengths[s]; ++t) {
        source.push_back(tokens.offsets[s] + t);
      }
    }
    const at::Tensor offsets = long_tensor(tokens.offsets);
    const at::Tensor sources = long_tensor(source).to(device_);
    LlamaPass pass;
    pass.positions = long_tensor(tokens.positions).to(device_);
    pass.steering =
        sequence_steering.select(long_tensor(tokens.owner).to(device_));
    pass.attend = [&](std::int64_t layer,
                      const at::Tensor& q,
                      const at::Tensor& k,
                      const at::Tensor& v) {
      return attend_prefill(layer, q, k, v, offsets, sources);
    };
    return model_.run_layers(hidden, begin, end, pass);
  };

  std::vector<std::int64_t> prompt_lengths;
  std::vector<std::int64_t> all_ids;
  for (const TokenIds& prompt : batch.prompts) {
    prompt_lengths.push_back(static_cast<std::int64_t>(prompt.size()));
    all_ids.insert(all_ids.end(), prompt.begin(), prompt.end());
  }
  std::vector<std::int64_t> prompt_of_row;
  for (const DecodeRow& row : batch.rows)
    prompt_of_row.push_back(row.prompt);
  std::vector<std::int64_t> pair_lengths;
  std::vector<std::int64_t> pair_steering;
  std::vector<std::int64_t> expand;
  const Ragged prompts = ragged(prompt_lengths);
  for (const Pair& pair : pairs_) {
    const std::int64_t length = length_of(pair.prompt);
    pair_lengths.push_back(length);
    pair_steering.push_back(pair.steering);
    const auto p = static_cast<std::size_t>(pair.prompt);
    for (std::int64_t t = 0; t < length; ++t) {
      expand.push_back(prompts.offsets[p] + t);
    }
  }
  const RowSteering pair_rows =
      RowSteering::per_row(batch.steerings, pair_steering, device_);
  const at::Tensor expansion = long_tensor(expand).to(device_);
  const at::Tensor ids = long_tensor(all_ids).to(device_);
  at::Tensor hidden;
  if (first_steered_ == 0) {
    const at::Tensor owner = long_tensor(ragged(pair_lengths).owner);
    hidden = model_.embed(
        ids.index_select(0, expansion), pair_rows.select(owner.to(device_)));
  } else {
    const auto plain = RowSteering::uniform(batch.steerings.at(0));
    hidden = model_.embed(ids, plain);
    hidden =
        run(hidden, prompt_lengths, prompt_of_row, plain, 0, first_steered_);
    if (recording_) {
      for (const at::Tensor& part :
           hidden.split_with_sizes(prompt_lengths, 0)) {
        prompt_features_.push_back(part);
      }
      step_features_.resize(rows_.size());
    }
    hidden = hidden.index_select(0, expansion);
  }
  hidden =
      run(hidden,
          pair_lengths,
          pair_of_row_,
          pair_rows,
          first_steered_,
          model_.config().layers);
  std::vector<std::int64_t> last;
  std::int64_t end = 0;
  for (const std::int64_t length : pair_lengths)
    last.push_back((end += length) - 1);
  const at::Tensor pair_logits = model_.head(
      hidden.index_select(0, long_tensor(last).to(device_)), pair_rows);
  logits_ = pair_logits.index_select(0, long_tensor(pair_of_row_).to(device_));
}

void LlamaDecodeSession::refresh_row_tensors() {
  slots_ = long_tensor(rows_).to(device_);
}

void LlamaDecodeSession::record(const at::Tensor& hidden) {
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const auto row = static_cast<std::size_t>(rows_[i]);
    step_features_[row].push_back(
        hidden.narrow(0, static_cast<std::int64_t>(i), 1));
  }
}

void LlamaDecodeSession::advance(const std::vector<std::int32_t>& tokens) {
  at::NoGradGuard no_gradient;
  TORCH_CHECK(
      tokens.size() == rows_.size(),
      "[decode] advance got ",
      tokens.size(),
      " tokens for ",
      rows_.size(),
      " rows");
  std::vector<std::int64_t> ids(tokens.begin(), tokens.end());
  std::vector<std::int64_t> positions;
  for (const std::int64_t row : rows_) {
    positions.push_back(lengths_[static_cast<std::size_t>(row)]++);
  }
  LlamaPass pass;
  pass.positions = long_tensor(positions).to(device_);
  pass.steering = alive_steering_;
  const at::Tensor lengths = pass.positions + 1;
  pass.attend = [&](std::int64_t layer,
                    const at::Tensor& q,
                    const at::Tensor& k,
                    const at::Tensor& v) {
    const auto l = static_cast<std::size_t>(layer);
    kernels::store_tokens(keys_[l], k, slots_, pass.positions);
    kernels::store_tokens(values_[l], v, slots_, pass.positions);
    return kernels::decode_attention(
               q, keys_[l], values_[l], slots_, lengths, scale_)
        .view({q.size(0), -1});
  };
  at::Tensor hidden =
      model_.embed(long_tensor(ids).to(device_), alive_steering_);
  hidden = model_.run_layers(hidden, 0, first_steered_, pass);
  if (recording_ && first_steered_ > 0) record(hidden);
  hidden =
      model_.run_layers(hidden, first_steered_, model_.config().layers, pass);
  logits_ = model_.head(hidden, alive_steering_);
}

void LlamaDecodeSession::keep(const std::vector<std::int64_t>& places) {
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
  refresh_row_tensors();
  const at::Tensor chosen = long_tensor(places).to(device_);
  alive_steering_ = alive_steering_.select(chosen);
  logits_ = logits_.index_select(0, chosen);
}

std::shared_ptr<const Features> LlamaDecodeSession::features() const {
  if (!recording_ || first_steered_ == 0) return nullptr;
  auto features = std::make_shared<Features>();
  features->first_layer = first_steered_;
  features->prompts = prompt_features_;
  const std::int64_t width = model_.config().width;
  for (const auto& steps : step_features_) {
    features->completions.push_back(
        steps.empty() ? at::empty({0, width}, at::device(device_))
                      : at::cat(steps));
  }
  return features;
}

std::unique_ptr<DecodeSession> LlamaModel::decode(const DecodeBatch& batch) {
  return std::make_unique<LlamaDecodeSession>(*this, batch);
}

}  // namespace moft
