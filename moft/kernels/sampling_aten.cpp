// Draws all rows at once, with one transfer to the CPU.
#include "moft/kernels/sampling_aten.h"

#include <cmath>
#include <limits>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"

namespace moft::kernels {

bool can_sample_aten(const SampleOptions& options, std::int64_t vocabulary) {
  return options.top_k.value_or(vocabulary) >= vocabulary &&
         options.top_p.value_or(1.0) >= 1.0;
}

Samples sample_rows_aten(
    const at::Tensor& logits,
    const SampleOptions& options,
    std::span<const double> uniforms) {
  const at::NoGradGuard no_grad;
  const std::int64_t rows = logits.size(0);
  const auto scale =
      static_cast<double>(static_cast<float>(1.0 / options.temperature));
  const at::Tensor z = logits.to(at::kFloat);
  const at::Tensor largest = z.amax({-1}, /*keepdim=*/true);  // [rows, 1]
  const at::Tensor cumulative =
      (z - largest).mul_(scale).exp_().cumsum(-1, at::kDouble);
  const at::Tensor total = cumulative.narrow(1, cumulative.size(1) - 1, 1);
  at::Tensor ids;
  if (options.greedy) {
    ids = z.argmax(-1, /*keepdim=*/true);
  } else {
    const at::Tensor u =
        at::tensor(at::ArrayRef<double>(uniforms.data(), uniforms.size()))
            .to(logits.device())
            .unsqueeze(1);
    // Below the total also after rounding, so that some token is beyond it.
    const at::Tensor mark = at::minimum(
        u * total, total * (1.0 - std::numeric_limits<double>::epsilon()));
    ids = at::searchsorted(cumulative, mark, /*out_int32=*/false, true)
              .clamp_max_(cumulative.size(1) - 1);  // broken logits
  }
  const at::Tensor log_probs =
      (z.gather(1, ids).to(at::kDouble) - largest.to(at::kDouble))
          .mul_(scale)
          .sub_(total.log());
  // One transfer; ids fit into a double.
  const at::Tensor host =
      at::cat({ids.to(at::kDouble), log_probs, largest.to(at::kDouble)}, 1)
          .to(at::kCPU);
  for (std::int64_t row = 0; row < rows; ++row) {
    const double top = host.const_data_ptr<double>()[3 * row + 2];
    if (std::isfinite(top)) continue;
    throw_world_error(
        "sampling: the largest logit of row {} is {}; the model's output is "
        "broken or every token is forbidden",
        row,
        top);
  }
  Samples samples;
  samples.ids = host.select(1, 0).to(at::kLong);
  samples.log_probs = host.select(1, 1).to(at::kFloat);
  return samples;
}

}  // namespace moft::kernels
