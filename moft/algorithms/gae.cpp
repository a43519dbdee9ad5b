// Advantages of tokens, from each row's end backwards.
#include "moft/algorithms/gae.h"

#include <vector>

#include "moft/core/errors.h"

namespace moft {
namespace {

at::Tensor on_host(const at::Tensor& values) {
  return values.detach().to(at::kCPU, at::kDouble).contiguous();
}

void check(
    const at::Tensor& rewards,
    const at::Tensor& values,
    const at::Tensor& lengths) {
  const bool fits = rewards.dim() == 2 && rewards.sizes() == values.sizes() &&
                    lengths.dim() == 1 && lengths.scalar_type() == at::kLong &&
                    lengths.sum().item<std::int64_t>() == rewards.size(0);
  if (fits) return;
  throw_caller_error(
      "{} rewards meet {} values of {} rows; give [N, k] of both and lengths "
      "with sum N",
      rewards.numel(),
      values.numel(),
      lengths.numel());
}

}  // namespace

TokenAdvantages generalised_advantages(
    const at::Tensor& rewards,
    const at::Tensor& values,
    const at::Tensor& lengths,
    double gamma,
    double lam) {
  check(rewards, values, lengths);
  const at::Tensor r = on_host(rewards);
  const at::Tensor v = on_host(values);
  const at::Tensor a = at::zeros_like(r);
  const auto columns = static_cast<std::size_t>(r.size(1));
  const auto* reward = r.const_data_ptr<double>();
  const auto* value = v.const_data_ptr<double>();
  auto* advantage = a.mutable_data_ptr<double>();
  const at::Tensor counts = lengths.to(at::kCPU).contiguous();
  std::size_t begin = 0;
  for (std::int64_t row = 0; row < counts.numel(); ++row) {
    const std::size_t end =
        begin +
        static_cast<std::size_t>(counts.const_data_ptr<std::int64_t>()[row]);
    std::vector<double> later(columns, 0.0);       // A of the next token
    std::vector<double> next_value(columns, 0.0);  // V of the next token
    for (std::size_t t = end; t-- > begin;) {
      for (std::size_t c = 0; c < columns; ++c) {
        const std::size_t at = t * columns + c;
        const double delta = reward[at] + gamma * next_value[c] - value[at];
        later[c] = delta + gamma * lam * later[c];
        next_value[c] = value[at];
        advantage[at] = later[c];
      }
    }
    begin = end;
  }
  return {a, a + v};
}

}  // namespace moft
