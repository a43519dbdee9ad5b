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
#include "moft/models/llama/model.h"

namespace moft {
namespace {

struct Tree {
  std::vector<std::int64_t> ids;        // packed tokens
  std::vector<std::int64_t> positions;  // place in prompt + completion
  std::vector<std::int64_t> padded;     // place in [trees, longest]
  std::vector<std::int64_t> prompt;     // which prompt a token belongs to
  std::vector<std::int64_t> branch;     // -1 prompt, else the row
  std::vector<std::int64_t> predicts;   // packed token behind each logit row
  std::int64_t longest = 0;
};

std::vector<std::vector<std::int64_t>> rows_by_prompt(const ScoreBatch& batch) {
  std::vector<std::vector<std::int64_t>> rows(batch.prompts.size());
  for (std::size_t row = 0; row < batch.completions.size(); ++row) {
    const auto prompt = static_cast<std::size_t>(batch.prompt_of_row[row]);
    rows.at(prompt).push_back(static_cast<std::int64_t>(row));
  }
  return rows;
}

std::int64_t tree_length(
    const ScoreBatch& batch,
    std::size_t prompt,
    const std::vector<std::int64_t>& rows) {
  auto length = static_cast<std::int64_t>(batch.prompts[prompt].size());
  for (const std::int64_t row : rows) {
    const auto& completion = batch.completions[static_cast<std::size_t>(row)];
    length += static_cast<std::int64_t>(completion.size()) - 1;
  }
  return length;
}

class TreeBuilder {
 public:
  explicit TreeBuilder(const ScoreBatch& batch) : batch_(batch) {
    const auto rows = rows_by_prompt(batch);
    for (std::size_t p = 0; p < rows.size(); ++p) {
      tree_.longest = std::max(tree_.longest, tree_length(batch, p, rows[p]));
    }
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
    std::int64_t place = static_cast<std::int64_t>(p) * tree_.longest;
    const auto add = [&](std::int32_t id, std::int64_t at, std::int64_t row) {
      tree_.ids.push_back(id);
      tree_.positions.push_back(at);
      tree_.padded.push_back(place++);
      tree_.prompt.push_back(static_cast<std::int64_t>(p));
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
at::Tensor tree_mask(const Tree& tree, std::int64_t trees, at::Device device) {
  const std::int64_t n = tree.longest;
  constexpr float kBlocked = -std::numeric_limits<float>::infinity();
  at::Tensor mask = at::full({trees, 1, n, n}, kBlocked, at::kFloat);
  auto* data = mask.data_ptr<float>();
  // Padding looks at itself, so that no softmax is empty.
  for (std::int64_t i = 0; i < trees * n; ++i)
    data[i * n + i % n] = 0.0F;
  std::vector<std::vector<std::size_t>> tokens(static_cast<std::size_t>(trees));
  for (std::size_t i = 0; i < tree.ids.size(); ++i) {
    tokens[static_cast<std::size_t>(tree.prompt[i])].push_back(i);
  }
  for (const auto& members : tokens) {
    for (std::size_t a = 0; a < members.size(); ++a) {
      const std::size_t query = members[a];
      float* row = data + tree.padded[query] * n;
      for (std::size_t b = 0; b <= a; ++b) {
        const std::int64_t branch = tree.branch[members[b]];
        if (branch < 0 || branch == tree.branch[query]) {
          row[tree.padded[members[b]] % n] = 0.0F;
        }
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

// Scatters packed rows into [trees, heads, longest, size], attends, gathers.
at::Tensor attend_in_trees(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& padded,
    const at::Tensor& mask) {
  const std::int64_t trees = mask.size(0);
  const std::int64_t longest = mask.size(2);
  // Places rise with the tokens: as many as there are means no padding.
  const bool is_full = padded.size(0) == trees * longest;
  const auto spread = [&](const at::Tensor& packed) {
    const std::int64_t heads = packed.size(1);
    at::Tensor full = packed;
    if (!is_full) {
      full =
          at::zeros({trees * longest, heads, packed.size(2)}, packed.options());
      full = full.index_copy(0, padded, packed);
    }
    return full.view({trees, longest, heads, packed.size(2)}).transpose(1, 2);
  };
  const std::int64_t repeats = q.size(1) / k.size(1);
  const auto repeated = [&](const at::Tensor& packed) {
    return repeats == 1 ? packed : packed.repeat_interleave(repeats, 1);
  };
  const at::Tensor out = at::scaled_dot_product_attention(
      spread(q), spread(repeated(k)), spread(repeated(v)), mask);
  const at::Tensor tokens =
      out.transpose(1, 2).reshape({trees * longest, -1});
  return is_full ? tokens : tokens.index_select(0, padded);
}

}  // namespace

at::Tensor LlamaModel::completion_logits(
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
  const auto trees = static_cast<std::int64_t>(batch.prompts.size());
  const at::Tensor padded = index_tensor(tree.padded, device_);
  const at::Tensor mask = tree_mask(tree, trees, device_);

  LlamaPass pass;
  pass.positions = index_tensor(tree.positions, device_);
  pass.steering = steering.select(index_tensor(tree.prompt, device_));
  pass.attend = [&](std::int64_t,
                    const at::Tensor& q,
                    const at::Tensor& k,
                    const at::Tensor& v) {
    return attend_in_trees(q, k, v, padded, mask);
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
  return head(
      hidden.index_select(0, predicts), pass.steering.select(predicts));
}

}  // namespace moft
