// Scoring given completions: one packed pass over trees of tokens.
//
// All completions of a prompt hang on that prompt: the prompt's tokens are
// computed once, and a completion's token attends to the prompt and to its own
// completion. The last token of a completion is predicted, never read.
#include <algorithm>
#include <limits>
#include <numeric>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"
#include "moft/kernels/padding.h"
#include "moft/models/llama/model.h"

namespace moft {
namespace {

struct Tree {
  std::vector<std::int64_t> ids;        // packed tokens
  std::vector<std::int64_t> positions;  // place in prompt + completion
  kernels::TokenPlaces tokens;          // place in the tree of a prompt
  std::vector<std::int64_t> branch;     // -1 prompt, else the row
  std::vector<std::int64_t> predicts;   // packed token behind each logit row
};

std::vector<std::vector<std::int64_t>> rows_by_prompt(const ScoreBatch& batch) {
  std::vector<std::vector<std::int64_t>> rows(batch.prompts.size());
  for (std::size_t row = 0; row < batch.completions.size(); ++row) {
    const auto prompt = static_cast<std::size_t>(batch.prompt_of_row[row]);
    rows.at(prompt).push_back(static_cast<std::int64_t>(row));
  }
  return rows;
}

class TreeBuilder {
 public:
  explicit TreeBuilder(const ScoreBatch& batch) : batch_(batch) {
    const auto rows = rows_by_prompt(batch);
    predicts_.resize(batch.completions.size());
    for (std::size_t p = 0; p < rows.size(); ++p)
      add_prompt(p, rows[p]);
    for (const auto& row : predicts_) {
      tree_.predicts.insert(tree_.predicts.end(), row.begin(), row.end());
    }
  }

  Tree take() { return std::move(tree_); }

 private:
  void add_prompt(std::size_t p, const std::vector<std::int64_t>& rows) {
    std::int64_t place = 0;
    const auto add = [&](std::int32_t id, std::int64_t at, std::int64_t row) {
      tree_.ids.push_back(id);
      tree_.positions.push_back(at);
      tree_.tokens.sequence.push_back(static_cast<std::int64_t>(p));
      tree_.tokens.place.push_back(place++);
      tree_.branch.push_back(row);
    };
    const TokenIds& prompt = batch_.prompts[p];
    const auto length = static_cast<std::int64_t>(prompt.size());
    for (std::int64_t t = 0; t < length; ++t) {
      add(prompt[static_cast<std::size_t>(t)], t, -1);
    }
    const auto last = static_cast<std::int64_t>(tree_.ids.size()) - 1;
    for (const std::int64_t row : rows) {
      const TokenIds& completion =
          batch_.completions[static_cast<std::size_t>(row)];
      auto& predicts = predicts_[static_cast<std::size_t>(row)];
      predicts.push_back(last);
      for (std::size_t t = 0; t + 1 < completion.size(); ++t) {
        predicts.push_back(static_cast<std::int64_t>(tree_.ids.size()));
        add(completion[t], length + static_cast<std::int64_t>(t), row);
      }
    }
  }

  const ScoreBatch& batch_;
  Tree tree_;
  std::vector<std::vector<std::int64_t>> predicts_;
};

// Additive mask [trees, 1, longest, longest]: 0 where a token may look.
at::Tensor tree_mask(
    const Tree& tree, const kernels::Padding& padding, at::Device device) {
  const std::int64_t trees = padding.sequences(), n = padding.longest();
  constexpr float kBlocked = -std::numeric_limits<float>::infinity();
  at::Tensor mask = at::full({trees, 1, n, n}, kBlocked, at::kFloat);
  auto* data = mask.data_ptr<float>();
  // Padding looks at itself, so that no softmax is empty.
  for (std::int64_t i = 0; i < trees * n; ++i)
    data[i * n + i % n] = 0.0F;
  const auto& [prompt, place] = tree.tokens;
  std::vector<std::vector<std::size_t>> tokens(static_cast<std::size_t>(trees));
  for (std::size_t i = 0; i < tree.ids.size(); ++i)
    tokens[static_cast<std::size_t>(prompt[i])].push_back(i);
  for (const auto& members : tokens) {
    for (std::size_t a = 0; a < members.size(); ++a) {
      const std::size_t query = members[a];
      float* row = data + (prompt[query] * n + place[query]) * n;
      for (std::size_t b = 0; b <= a; ++b) {
        const std::int64_t branch = tree.branch[members[b]];
        if (branch < 0 || branch == tree.branch[query])
          row[place[members[b]]] = 0.0F;
      }
    }
  }
  return mask.to(device);
}

at::Tensor index_tensor(
    const std::vector<std::int64_t>& values, at::Device device) {
  return at::tensor(values, at::kLong).to(device);
}

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

// Attention of packed tokens, each among those of its tree.
at::Tensor attend_in_trees(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const kernels::Padding& padding,
    const at::Tensor& mask) {
  const std::int64_t repeats = q.size(1) / k.size(1);
  const auto repeated = [&](const at::Tensor& packed) {
    return repeats == 1 ? packed : packed.repeat_interleave(repeats, 1);
  };
  return padding.gather(at::scaled_dot_product_attention(
      padding.spread(q),
      padding.spread(repeated(k)),
      padding.spread(repeated(v)),
      mask));
}

}  // namespace

at::Tensor LlamaModel::completion_states(
    const ScoreBatch& batch, const RowSteering& steering) {
  for (std::size_t row = 0; row < batch.completions.size(); ++row) {
    const auto& prompt =
        batch.prompts.at(static_cast<std::size_t>(batch.prompt_of_row[row]));
    const auto& completion = batch.completions[row];
    if (prompt.empty() || completion.empty()) {
      throw_caller_error(
          "row {} has an empty {}; scoring needs at least one token of each",
          row,
          prompt.empty() ? "prompt" : "completion");
    }
    const auto total =
        static_cast<std::int64_t>(prompt.size() + completion.size());
    check_tokens(prompt, total);
    check_tokens(completion, total);
  }
  const Tree tree = TreeBuilder(batch).take();
  const kernels::Padding padding(
      tree.tokens, std::ssize(batch.prompts), device_);
  const at::Tensor mask = tree_mask(tree, padding, device_);

  LlamaPass pass;
  pass.positions = index_tensor(tree.positions, device_);
  pass.steering = steering.select(index_tensor(tree.tokens.sequence, device_));
  pass.attend = [&](std::int64_t,
                    const at::Tensor& q,
                    const at::Tensor& k,
                    const at::Tensor& v) {
    return attend_in_trees(q, k, v, padding, mask);
  };
  const bool reuse = batch.features != nullptr;
  at::Tensor hidden =
      reuse ? packed_features(batch)
            : embed(index_tensor(tree.ids, device_), pass.steering);
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
  hidden = run_layers(hidden, frozen, config_.layers, pass);
  const at::Tensor predicts = index_tensor(tree.predicts, device_);
  return final_states(
      hidden.index_select(0, predicts), pass.steering.select(predicts));
}

}  // namespace moft
