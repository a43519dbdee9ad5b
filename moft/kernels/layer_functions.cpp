// The same operations with gradients.
#include "moft/kernels/layer_functions.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "moft/kernels/elementwise.h"
#include "moft/kernels/parallel.h"
#include "moft/kernels/row_view.h"
#include "moft/kernels/simd/table.h"

namespace moft::kernels {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

bool wants_gradient(std::initializer_list<at::Tensor> inputs) {
  return at::GradMode::is_enabled() &&
         std::any_of(inputs.begin(), inputs.end(), [](const at::Tensor& t) {
           return t.requires_grad();
         });
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

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& x,
      const at::Tensor& gain,
      double eps) {
    context->save_for_backward({x, gain});
    context->saved_data["eps"] = eps;
    context->saved_data["gain"] = gain.requires_grad();
    return rms_norm(x, gain, eps);
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

struct Gated : torch::autograd::Function<Gated> {
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& gate,
      const at::Tensor& up,
      std::int64_t unit) {
    context->save_for_backward({gate, up});
    context->saved_data["unit"] = unit;
    return static_cast<GatedUnit>(unit) == GatedUnit::kGelu ? geglu(gate, up)
                                                            : swiglu(gate, up);
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

at::Tensor turned(
    const at::Tensor& x,
    const at::Tensor& positions,
    const at::Tensor& cosines,
    const at::Tensor& sines) {
  at::Tensor result = x.contiguous();
  if (result.is_same(x) || result.is_alias_of(x)) result = result.clone();
  rotary_(result, positions, cosines, sines);
  return result;
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

at::Tensor rms_norm_layer(
    const at::Tensor& x, const at::Tensor& gain, double eps) {
  if (!wants_gradient({x, gain})) return rms_norm(x, gain, eps);
  if (are_rows(x) && is_cpu_float(gain)) return RmsNorm::apply(x, gain, eps);
  const at::Tensor scale = (x * x).mean(-1, /*keepdim=*/true).add(eps);
  return x * scale.rsqrt() * gain;
}

at::Tensor gated_layer(
    GatedUnit unit, const at::Tensor& gate, const at::Tensor& up) {
  const bool gelu = unit == GatedUnit::kGelu;
  if (!wants_gradient({gate, up}))
    return gelu ? geglu(gate, up) : swiglu(gate, up);
  if (are_rows(gate) && are_rows(up) && gate.sizes() == up.sizes())
    return Gated::apply(gate, up, static_cast<std::int64_t>(unit));
  return (gelu ? at::gelu(gate, "tanh") : at::silu(gate)) * up;
}

at::Tensor rotary_layer(
    const at::Tensor& x,
    const at::Tensor& positions,
    const at::Tensor& cosines,
    const at::Tensor& sines) {
  if (!wants_gradient({x})) return turned(x, positions, cosines, sines);
  return Rotary::apply(x, positions, cosines, sines);
}

}  // namespace moft::kernels
