// Norms, rotary embedding and gated activations, row by row.
#include "moft/kernels/elementwise.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "moft/core/errors.h"
#include "moft/kernels/parallel.h"
#include "moft/kernels/row_view.h"
#include "moft/kernels/simd/table.h"

namespace moft::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kGrain = 1 << 14;  // elements worth a thread

std::int64_t rows_per_thread(std::int64_t width) {
  return std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, width));
}

// Largest number of row ranges, whatever the number of threads: the sums over
// rows then have one order.
constexpr std::int64_t kRanges = 32;

template <typename Body>
void for_ranges(std::int64_t rows, const Body& body) {
  const std::int64_t ranges = std::min(rows, kRanges);
  parallel_ranges(ranges, 1, [&](auto begin, auto end) {
    for (auto range = begin; range < end; ++range)
      body(range, rows * range / ranges, rows * (range + 1) / ranges);
  });
}

bool wants_gradient(std::initializer_list<at::Tensor> inputs) {
  return at::GradMode::is_enabled() &&
         std::any_of(inputs.begin(), inputs.end(), [](const at::Tensor& t) {
           return t.requires_grad();
         });
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

at::Tensor plain_norm(const at::Tensor& x, const at::Tensor& gain, double eps) {
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

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& x,
      const at::Tensor& gain,
      double eps) {
    context->save_for_backward({x, gain});
    context->saved_data["eps"] = eps;
    context->saved_data["gain"] = gain.requires_grad();
    return plain_norm(x, gain, eps);
  }

  static variable_list backward(
      AutogradContext* context, variable_list gradients) {
    const at::NoGradGuard no_gradient;
    const auto saved = context->get_saved_variables();
    const at::Tensor& gain = saved[1];
    const std::int64_t width = gain.size(0);
    const at::Tensor x = saved[0].reshape({-1, width});
    const at::Tensor of_y = with_rows(gradients[0].reshape({-1, width}));
    const auto eps = static_cast<float>(context->saved_data["eps"].toDouble());
    at::Tensor of_x = at::empty({x.size(0), width}, x.options());
    at::Tensor sums;
    if (context->saved_data["gain"].toBool())
      sums = at::zeros({kRanges, width}, x.options());
    const auto scale = gain.contiguous();
    const auto from = read_rows(x), back = read_rows(of_y);
    const auto to = write_rows(of_x);
    float* partial = sums.defined() ? sums.mutable_data_ptr<float>() : nullptr;
    for_ranges(x.size(0), [&](auto range, auto begin, auto end) {
      float* const of_gain =
          partial == nullptr ? nullptr : partial + range * width;
      for (auto row = begin; row < end; ++row) {
        simd::table().rms_norm_gradient(
            from[row],
            scale.const_data_ptr<float>(),
            back[row],
            eps,
            width,
            to[row],
            of_gain);
      }
    });
    return {
        of_x.view(saved[0].sizes()),
        sums.defined() ? sums.sum(0) : at::Tensor(),
        at::Tensor()};
  }
};

at::Tensor plain_gated(
    GatedUnit unit, const at::Tensor& gate, const at::Tensor& up) {
  const bool gelu = unit == GatedUnit::kGelu;
  if (gate.sizes() != up.sizes()) {
    throw_caller_error(
        "{}: gate has {} elements, up has {}; give equal shapes",
        gelu ? "geglu" : "swiglu",
        gate.numel(),
        up.numel());
  }
  const bool fast =
      gate.dim() <= 3 && has_float_rows(gate) && has_float_rows(up);
  if (!fast) return (gelu ? at::gelu(gate, "tanh") : at::silu(gate)) * up;
  const auto kernel = gelu ? simd::table().geglu : simd::table().swiglu;
  auto result = at::empty(gate.sizes(), gate.options());
  const auto left = read_rows(gate), right = read_rows(up);
  const auto to = write_rows(result);
  const auto width = gate.size(-1);
  parallel_ranges(
      row_count(gate), rows_per_thread(width), [&](auto begin, auto end) {
        for (auto row = begin; row < end; ++row)
          kernel(left[row], right[row], width, to[row]);
      });
  return result;
}

struct Gated : torch::autograd::Function<Gated> {
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& gate,
      const at::Tensor& up,
      std::int64_t unit) {
    context->save_for_backward({gate, up});
    context->saved_data["unit"] = unit;
    return plain_gated(static_cast<GatedUnit>(unit), gate, up);
  }

  static variable_list backward(
      AutogradContext* context, variable_list gradients) {
    const at::NoGradGuard no_gradient;
    const auto saved = context->get_saved_variables();
    const at::Tensor of_y = with_rows(gradients[0]);
    const auto unit =
        static_cast<GatedUnit>(context->saved_data["unit"].toInt());
    const auto gradient = unit == GatedUnit::kGelu
                              ? simd::table().geglu_gradient
                              : simd::table().swiglu_gradient;
    at::Tensor of_gate = at::empty(saved[0].sizes(), saved[0].options());
    at::Tensor of_up = at::empty(saved[0].sizes(), saved[0].options());
    const auto gate = read_rows(saved[0]), up = read_rows(saved[1]);
    const auto back = read_rows(of_y);
    const auto to_gate = write_rows(of_gate), to_up = write_rows(of_up);
    const std::int64_t width = of_y.size(-1);
    for_ranges(row_count(of_y), [&](auto /*range*/, auto begin, auto end) {
      for (auto row = begin; row < end; ++row) {
        gradient(
            gate[row], up[row], back[row], width, to_gate[row], to_up[row]);
      }
    });
    return {of_gate, of_up, at::Tensor()};
  }
};

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

// A copy of `rows`, turned.
at::Tensor turned(
    const at::Tensor& rows,
    const at::Tensor& positions,
    const at::Tensor& cosines,
    const at::Tensor& sines) {
  check_rotary(rows, positions, cosines, sines);
  at::Tensor x = rows.contiguous();
  if (x.is_same(rows) || x.is_alias_of(rows)) x = x.clone();
  const bool fast = has_float_rows(x) && is_cpu_float(cosines) &&
                    is_cpu_float(sines) && positions.device().is_cpu() &&
                    positions.scalar_type() == at::kLong;
  if (!fast) {
    rotary_aten(x, positions, cosines, sines);
    return x;
  }
  const auto heads = x.size(1), half = x.size(2) / 2;
  const auto to = write_rows(x);
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
              to[row],
              cosine.const_data_ptr<float>() + offset,
              sine.const_data_ptr<float>() + offset,
              half);
        }
      });
  return x;
}

struct Rotary : torch::autograd::Function<Rotary> {
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& x,
      const at::Tensor& positions,
      const at::Tensor& cosines,
      const at::Tensor& sines) {
    context->save_for_backward({positions, cosines, sines});
    return turned(x, positions, cosines, sines);
  }

  static variable_list backward(
      AutogradContext* context, variable_list gradients) {
    const at::NoGradGuard no_gradient;
    const auto saved = context->get_saved_variables();
    return {
        turned(gradients[0], saved[0], saved[1], saved[2].neg()),
        at::Tensor(),
        at::Tensor(),
        at::Tensor()};
  }
};

bool are_rows(const at::Tensor& t) {
  return has_float_rows(t) && t.dim() >= 2 && t.dim() <= 3;
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& gain, double eps) {
  if (!wants_gradient({x, gain})) return plain_norm(x, gain, eps);
  if (are_rows(x) && is_cpu_float(gain)) return RmsNorm::apply(x, gain, eps);
  const at::Tensor scale = (x * x).mean(-1, /*keepdim=*/true).add(eps);
  return x * scale.rsqrt() * gain;
}

at::Tensor gated(GatedUnit unit, const at::Tensor& gate, const at::Tensor& up) {
  if (!wants_gradient({gate, up})) return plain_gated(unit, gate, up);
  if (are_rows(gate) && are_rows(up) && gate.sizes() == up.sizes())
    return Gated::apply(gate, up, static_cast<std::int64_t>(unit));
  const bool gelu = unit == GatedUnit::kGelu;
  return (gelu ? at::gelu(gate, "tanh") : at::silu(gate)) * up;
}

at::Tensor rotary(
    const at::Tensor& x,
    const at::Tensor& positions,
    const at::Tensor& cosines,
    const at::Tensor& sines) {
  if (!wants_gradient({x})) return turned(x, positions, cosines, sines);
  return Rotary::apply(x, positions, cosines, sines);
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
