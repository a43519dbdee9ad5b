// Norms, rotary embedding and gated activations, row by row.
#include "moft/kernels/elementwise.h"

#include <algorithm>
#include <optional>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"
#include "moft/kernels/parallel.h"
#include "moft/kernels/row_view.h"
#include "moft/kernels/simd/table.h"

namespace moft::kernels {
namespace {

constexpr std::int64_t kGrain = 1 << 14;  // elements worth a thread

std::int64_t rows_per_thread(std::int64_t width) {
  return std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, width));
}

at::Tensor rms_norm_aten(
    const at::Tensor& x, const at::Tensor& gain, double eps) {
  const auto wide = x.to(at::kFloat);
  const auto scale = (wide * wide).mean(-1, /*keepdim=*/true).add(eps).rsqrt();
  return (wide * scale).to(x.scalar_type()) * gain.to(x.scalar_type());
}

void rotary_aten(
    at::Tensor& x,
    const at::Tensor& positions,
    const at::Tensor& cosines,
    const at::Tensor& sines) {
  const auto half = x.size(-1) / 2;
  const auto cosine = cosines.index_select(0, positions).unsqueeze(1);
  const auto sine = sines.index_select(0, positions).unsqueeze(1);
  const auto a = x.narrow(-1, 0, half).to(at::kFloat);
  const auto b = x.narrow(-1, half, half).to(at::kFloat);
  x.copy_(at::cat({a * cosine - b * sine, b * cosine + a * sine}, -1));
}

void check_gain(const at::Tensor& x, const at::Tensor& gain) {
  if (x.dim() >= 1 && gain.dim() == 1 && gain.size(0) == x.size(-1)) return;
  throw_caller_error(
      "rms_norm: gain has {} elements, the last dimension of x has {}",
      gain.numel(),
      x.dim() == 0 ? 0 : x.size(-1));
}

void check_rotary(
    const at::Tensor& x,
    const at::Tensor& positions,
    const at::Tensor& cosines,
    const at::Tensor& sines) {
  const bool fits = x.dim() == 3 && x.size(2) % 2 == 0 &&
                    positions.dim() == 1 && positions.size(0) == x.size(0) &&
                    cosines.dim() == 2 && cosines.size(1) == x.size(2) / 2 &&
                    sines.sizes() == cosines.sizes();
  if (!fits) {
    throw_caller_error(
        "rotary: give x [N, heads, d], positions [N], tables [max, d / 2]");
  }
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& gain, double eps) {
  const at::NoGradGuard no_grad;
  check_gain(x, gain);
  const bool fast = has_float_rows(x) && is_cpu_float(gain);
  if (!fast) return rms_norm_aten(x, gain, eps);
  const auto rows_of_x = x.dim() <= 3 ? x : x.contiguous().flatten(0, -2);
  auto result = at::empty(x.sizes(), x.options());
  const auto flat = result.view(rows_of_x.sizes());
  const auto from = read_rows(rows_of_x);
  const auto to = write_rows(flat);
  const auto scale = gain.contiguous();
  const auto width = x.size(-1);
  parallel_ranges(
      row_count(x), rows_per_thread(width), [&](auto begin, auto end) {
        for (auto row = begin; row < end; ++row) {
          simd::table().rms_norm(
              from[row],
              scale.const_data_ptr<float>(),
              static_cast<float>(eps),
              width,
              to[row]);
        }
      });
  return result;
}

void rotary_(
    at::Tensor x,
    const at::Tensor& positions,
    const at::Tensor& cosines,
    const at::Tensor& sines) {
  const at::NoGradGuard no_grad;
  check_rotary(x, positions, cosines, sines);
  const bool fast = has_float_rows(x) && is_cpu_float(cosines) &&
                    is_cpu_float(sines) && positions.device().is_cpu() &&
                    positions.scalar_type() == at::kLong;
  if (!fast) {
    rotary_aten(x, positions, cosines, sines);
    return;
  }
  const auto heads = x.size(1), half = x.size(2) / 2;
  const auto rows = write_rows(x);
  const auto at_position = positions.contiguous();
  const auto* position = at_position.const_data_ptr<std::int64_t>();
  for (std::int64_t token = 0; token < x.size(0); ++token) {
    if (position[token] >= 0 && position[token] < cosines.size(0)) continue;
    throw_caller_error(
        "rotary: position {} of token {} is outside the table of {}; the "
        "sequence is longer than the model's context",
        position[token],
        token,
        cosines.size(0));
  }
  const auto cosine = cosines.contiguous(), sine = sines.contiguous();
  parallel_ranges(
      x.size(0), rows_per_thread(heads * half), [&](auto begin, auto end) {
        for (auto row = begin * heads; row < end * heads; ++row) {
          const auto offset = position[row / heads] * half;
          simd::table().rotary(
              rows[row],
              cosine.const_data_ptr<float>() + offset,
              sine.const_data_ptr<float>() + offset,
              half);
        }
      });
}

namespace {

using GatedUnit = void (*)(
    const float* gate, const float* up, std::int64_t width, float* result);

// Nothing when the inputs are not rows of float32 on the CPU.
std::optional<at::Tensor> gated_rows(
    const at::Tensor& gate,
    const at::Tensor& up,
    const char* name,
    GatedUnit unit) {
  if (gate.sizes() != up.sizes()) {
    throw_caller_error(
        "{}: gate has {} elements, up has {}; give equal shapes",
        name,
        gate.numel(),
        up.numel());
  }
  const bool fast =
      gate.dim() <= 3 && has_float_rows(gate) && has_float_rows(up);
  if (!fast) return std::nullopt;
  auto result = at::empty(gate.sizes(), gate.options());
  const auto left = read_rows(gate), right = read_rows(up);
  const auto to = write_rows(result);
  const auto width = gate.size(-1);
  parallel_ranges(
      row_count(gate), rows_per_thread(width), [&](auto begin, auto end) {
        for (auto row = begin; row < end; ++row) {
          unit(left[row], right[row], width, to[row]);
        }
      });
  return result;
}

}  // namespace

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  const at::NoGradGuard no_grad;
  const auto fast = gated_rows(gate, up, "swiglu", simd::table().swiglu);
  return fast ? *fast : at::silu(gate) * up;
}

at::Tensor geglu(const at::Tensor& gate, const at::Tensor& up) {
  const at::NoGradGuard no_grad;
  const auto fast = gated_rows(gate, up, "geglu", simd::table().geglu);
  return fast ? *fast : at::gelu(gate, "tanh") * up;
}

void mix(
    std::span<const float* const> sources,
    std::span<const double> factors,
    std::int64_t count,
    float* result) {
  simd::table().mix(
      sources.data(), factors.data(), sources.size(), count, result);
}

}  // namespace moft::kernels
