// Log-probabilities, KL and entropy from logits, without extra [N, V] buffers.
//
// z = inverse_temperature * logits;  log p_i = z_i - logsumexp(z).
// Sums over the vocabulary run in double over blocks of float (error of a
// log-probability: about one float rounding). Row bits are independent of the
// other rows and of the thread count (CPU float32). A logit of -inf means
// probability zero; a row of only -inf gives NaN.
#pragma once

#include <ATen/ATen.h>

namespace moft::kernels {

struct LogProbOptions {
  double inverse_temperature = 1.0;
  // Backward writes the gradient over the logits' own memory instead of a new
  // [N, V] buffer. Only for logits that nobody reads later (a matrix
  // product's fresh output) and a graph that runs backward once.
  bool overwrite_logits = false;
};

// Differentiable in logits. logits [N, V], targets int64 [N] in [0, V).
// Returns [N] float32. backward: (onehot - softmax(z)) * g *
// inverse_temperature, written into one buffer.
at::Tensor selected_log_probs(
    const at::Tensor& logits,
    const at::Tensor& targets,
    const LogProbOptions& options = {});

// sum_i p_i (log p_i - log q_i) per row, [N] float32; no autograd. Exactly 0
// for rows that are bitwise equal. Where p_i = 0 the term is 0.
at::Tensor exact_kl(
    const at::Tensor& policy_logits,
    const at::Tensor& reference_logits,
    double inverse_temperature = 1.0);

// -sum_i p_i log p_i per row, in nats, [N] float32; no autograd.
at::Tensor entropy(const at::Tensor& logits, double inverse_temperature = 1.0);

}  // namespace moft::kernels
