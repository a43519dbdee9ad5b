// The task of tests/reference/exact/autoregressive.json: a model of 15 outputs
// that can all be listed, so that expected gradients are exact sums.
#pragma once

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "moft/algorithms/kl_gradient.h"
#include "moft/algorithms/reinforce.h"
#include "moft/algorithms/rewards.h"

namespace moft::test {

inline at::Tensor matrix(const nlohmann::json& json) {
  std::vector<at::Tensor> rows;
  for (const auto& row : json) {
    rows.push_back(at::tensor(row.get<std::vector<double>>(), at::kDouble));
  }
  return at::stack(rows);
}

inline at::Tensor scalar(double value) {
  return at::scalar_tensor(value, at::TensorOptions(at::kDouble));
}

// The mean of all rows, at every row.
inline at::Tensor batch_mean(const at::Tensor& rewards) {
  return rewards.mean().expand_as(rewards);
}

inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// bool [B, columns], true on the first lengths[b] columns of row b.
inline at::Tensor length_mask(const at::Tensor& lengths, std::int64_t columns) {
  return at::arange(columns, at::kLong).unsqueeze(0).lt(lengths.unsqueeze(1));
}

// The values [B, T] of each row's own tokens, 0 elsewhere.
inline at::Tensor own_tokens(
    const at::Tensor& values, const at::Tensor& lengths) {
  return at::where(
      length_mask(lengths, values.size(1)),
      values,
      at::zeros({}, values.options()));
}

inline at::Tensor sum_padded(
    const at::Tensor& values, const at::Tensor& lengths) {
  return own_tokens(values, lengths).sum(1);
}

// Every output of the model, in padded form.
class Enumerated {
 public:
  explicit Enumerated(const nlohmann::json& json)
      : json_(json),
        alpha_(json.at("alpha").get<double>()),
        theta_(matrix(json.at("theta_merged")).requires_grad_()),
        reference_(matrix(json.at("ref_logits"))),
        rewards_(matrix(json.at("R")).t().contiguous()),
        weights_(
            at::tensor(json.at("w").get<std::vector<double>>(), at::kDouble)) {
    const auto sequences =
        json.at("seqs").get<std::vector<std::vector<std::int64_t>>>();
    const auto prefixes =
        json.at("prefixes").get<std::vector<std::vector<std::int64_t>>>();
    const auto rows = static_cast<std::int64_t>(sequences.size());
    prefix_ = at::zeros({rows, 3}, at::kLong);
    token_ = at::zeros({rows, 3}, at::kLong);
    lengths_ = at::zeros({rows}, at::kLong);
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto& tokens = sequences[row];
      lengths_[row] = static_cast<std::int64_t>(tokens.size());
      for (std::size_t t = 0; t < tokens.size(); ++t) {
        const std::vector<std::int64_t> seen(
            tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(t));
        const auto found = std::find(prefixes.begin(), prefixes.end(), seen);
        const auto column = static_cast<std::int64_t>(t);
        prefix_[row][column] = found - prefixes.begin();
        token_[row][column] = tokens[t];
      }
    }
  }

  // [rows, 3]; entries after the end are NaN, as it must not be read.
  at::Tensor token_log_probs(const at::Tensor& logits) const {
    const at::Tensor all = at::log_softmax(logits, 1);
    const at::Tensor picked = all.index({prefix_, token_});
    const at::Tensor nan = at::full({}, NAN, picked.options());
    return at::where(length_mask(lengths_, 3), picked, nan);
  }
  at::Tensor log_probs() const {
    return sum_padded(token_log_probs(theta_), lengths_);
  }
  at::Tensor token_log_ratio() const {
    return (token_log_probs(theta_) - token_log_probs(reference_)).detach();
  }
  at::Tensor sequence_log_ratio() const {
    return sum_padded(token_log_ratio(), lengths_);
  }
  at::Tensor probabilities() const { return log_probs().detach().exp(); }
  at::Tensor scalarised() const { return scalarise(rewards_, weights_); }
  at::Tensor reward() const {
    return regularised_reward(
        scalarised(), sequence_log_ratio(), scalar(alpha_));
  }

  // sum_y pi(y) A(y) grad log pi(y)
  at::Tensor expected_gradient(const at::Tensor& advantages) {
    theta_.mutable_grad() = at::Tensor();
    reinforce_loss(log_probs(), probabilities() * advantages, 1.0).backward();
    return -theta_.grad();
  }
  at::Tensor expected_token_gradient(const at::Tensor& advantages) {
    theta_.mutable_grad() = at::Tensor();
    const at::Tensor weighted = probabilities().unsqueeze(1) * advantages;
    reinforce_loss(own_tokens(token_log_probs(theta_), lengths_), weighted, 1.0)
        .backward();
    return -theta_.grad();
  }
  // E |A grad log pi|^2 - |E A grad log pi|^2
  double trace_variance(const at::Tensor& advantages) {
    double second = 0.0;
    for (std::int64_t row = 0; row < lengths_.numel(); ++row) {
      theta_.mutable_grad() = at::Tensor();
      log_probs()[row].backward();
      const double square = theta_.grad().square().sum().item<double>();
      const double a = advantages[row].item<double>();
      second += probabilities()[row].item<double>() * a * a * square;
    }
    return second - exact_gradient().square().sum().item<double>();
  }

  at::Tensor exact_gradient() const {
    return matrix(json_.at("grad_exact_fd"));
  }
  at::Tensor estimator(const char* name) const {
    return matrix(json_.at("estimators").at(name).at("grad"));
  }
  double number(const char* name) const { return json_.at(name).get<double>(); }
  double alpha() const { return alpha_; }
  at::Tensor theta() const { return theta_; }
  at::Tensor reference() const { return reference_; }
  const at::Tensor& prefix() const { return prefix_; }
  const at::Tensor& lengths() const { return lengths_; }

 private:
  nlohmann::json json_;
  double alpha_;
  at::Tensor theta_, reference_, rewards_, weights_;
  at::Tensor prefix_, token_, lengths_;
};

// "beta_0" or "beta_0.789".
inline Enumerated read_enumerated(const std::string& name) {
  std::ifstream file(
      std::string(MOFT_SOURCE_DIR) +
      "/tests/reference/exact/autoregressive.json");
  return Enumerated(nlohmann::json::parse(file).at(name));
}

}  // namespace moft::test
