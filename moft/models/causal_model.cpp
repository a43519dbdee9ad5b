// Scoring given completions: one packed pass over trees of tokens.
//
// All completions of a prompt hang on that prompt: the prompt's tokens are
// computed once, and a completion's token attends to the prompt and to its own
// completion. The last token of a completion is predicted, never read.
#include "moft/models/causal_model.h"

#include <algorithm>
#include <cmath>

#include <ATen/core/grad_mode.h>

#include "moft/kernels/tensors.h"
#include "moft/kernels/tree_attention.h"

namespace moft {
namespace {

// The tokens that are read, packed: each prompt, then its completions.
struct Packed {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> positions;  // in prompt + completion
  std::vector<std::int64_t> prompt;     // of each token
  std::vector<std::int64_t> predicts;   // the token that predicts a logit row
  std::vector<kernels::TokenTree> trees;
};

std::vector<std::vector<std::int64_t>> rows_by_prompt(const ScoreBatch& batch) {
  std::vector<std::vector<std::int64_t>> rows(batch.prompts.size());
  for (std::size_t row = 0; row < batch.completions.size(); ++row) {
    const auto prompt = static_cast<std::size_t>(batch.prompt_of_row[row]);
    rows.at(prompt).push_back(static_cast<std::int64_t>(row));
  }
  return rows;
}

class Packer {
 public:
  explicit Packer(const ScoreBatch& batch) : batch_(batch) {
    const auto rows = rows_by_prompt(batch);
    predicts_.resize(batch.completions.size());
    for (std::size_t p = 0; p < rows.size(); ++p)
      add_prompt(p, rows[p]);
    for (const auto& row : predicts_) {
      packed_.predicts.insert(packed_.predicts.end(), row.begin(), row.end());
    }
  }

  Packed take() { return std::move(packed_); }

 private:
  void add_prompt(std::size_t p, const std::vector<std::int64_t>& rows) {
    const auto add = [&](std::int32_t id, std::int64_t position) {
      packed_.ids.push_back(id);
      packed_.positions.push_back(position);
      packed_.prompt.push_back(static_cast<std::int64_t>(p));
    };
    const TokenIds& prompt = batch_.prompts[p];
    const std::int64_t length = std::ssize(prompt);
    for (std::int64_t t = 0; t < length; ++t)
      add(prompt[static_cast<std::size_t>(t)], t);
    kernels::TokenTree tree{length, {}};
    const std::int64_t last = std::ssize(packed_.ids) - 1;
    for (const std::int64_t row : rows) {
      const TokenIds& completion =
          batch_.completions[static_cast<std::size_t>(row)];
      auto& predicts = predicts_[static_cast<std::size_t>(row)];
      predicts.push_back(last);
      for (std::size_t t = 0; t + 1 < completion.size(); ++t) {
        predicts.push_back(std::ssize(packed_.ids));
        add(completion[t], length + static_cast<std::int64_t>(t));
      }
      tree.branches.push_back(std::ssize(completion) - 1);
    }
    packed_.trees.push_back(std::move(tree));
  }

  const ScoreBatch& batch_;
  Packed packed_;
  std::vector<std::vector<std::int64_t>> predicts_;
};

// Hidden states of the packed tokens from a rollout's features, tree order.
at::Tensor packed_features(const ScoreBatch& batch) {
  std::vector<at::Tensor> parts;
  const auto rows = rows_by_prompt(batch);
  for (std::size_t p = 0; p < rows.size(); ++p) {
    parts.push_back(batch.features->prompts.at(p));
    for (const std::int64_t row : rows[p]) {
      const auto r = static_cast<std::size_t>(row);
      const at::Tensor& states = batch.features->completions.at(r);
      const auto wanted =
          static_cast<std::int64_t>(batch.completions[r].size()) - 1;
      parts.push_back(states.narrow(0, 0, wanted));
    }
  }
  return at::cat(parts);
}

}  // namespace

at::Tensor CausalModel::completion_states(
    const ScoreBatch& batch, const RowSteering& steering) {
  check_batch(batch);
  const Packed packed = Packer(batch).take();
  const double scale = 1.0 / std::sqrt(static_cast<double>(shape_.head_size));

  CausalPass pass;
  pass.positions = kernels::long_tensor(packed.positions, device_);
  pass.steering = steering.select(kernels::long_tensor(packed.prompt, device_));
  pass.attend = [&](std::int64_t,
                    const at::Tensor& q,
                    const at::Tensor& k,
                    const at::Tensor& v) {
    return kernels::tree_attention(q, k, v, packed.trees, scale).flatten(1);
  };
  const bool reuse = batch.features != nullptr;
  at::Tensor hidden =
      reuse ? packed_features(batch)
            : embed(kernels::long_tensor(packed.ids, device_), pass.steering);
  const std::int64_t first = reuse ? batch.features->first_layer : 0;
  // Below the first trained layer no gradient is wanted.
  const std::int64_t frozen = std::max(first, steerable_.first_steered_layer);
  {
    at::NoGradGuard no_gradient;
    if (frozen > first) {
      // An embedding that is trained makes every layer a steered one.
      hidden = run_layers(hidden, first, frozen, pass);
    }
  }
  hidden = run_layers(hidden, frozen, shape_.layers, pass);
  const at::Tensor predicts = kernels::long_tensor(packed.predicts, device_);
  return final_states(
      hidden.index_select(0, predicts), pass.steering.select(predicts));
}

at::Tensor CausalModel::head(
    const at::Tensor& hidden, const RowSteering& steering) const {
  return logits(final_states(hidden, steering), steering);
}

}  // namespace moft
