// Linear maps with gradients.
#include "moft/kernels/linear_function.h"

#include <mutex>

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

namespace moft::kernels {

struct FrozenWeight::Shared {
  PackedMatrix forward;
  mutable std::mutex mutex;  // guards backward
  std::unique_ptr<PackedMatrix> backward;
};

FrozenWeight::FrozenWeight(const at::Tensor& weight, Storage storage)
    : FrozenWeight(PackedMatrix(weight, storage)) {}

FrozenWeight::FrozenWeight(PackedMatrix packed)
    : shared_(new Shared{std::move(packed), {}, nullptr}) {}

std::int64_t FrozenWeight::bytes() const {
  const std::lock_guard lock(shared_->mutex);
  const auto back = shared_->backward ? shared_->backward->bytes() : 0;
  return shared_->forward.bytes() + back;
}

const PackedMatrix& FrozenWeight::forward() const {
  return shared_->forward;
}

const PackedMatrix& FrozenWeight::backward() const {
  const std::lock_guard lock(shared_->mutex);
  if (!shared_->backward) {
    const bool half = shared_->forward.storage() == Storage::kBFloat16;
    shared_->backward = std::make_unique<PackedMatrix>(
        shared_->forward.unpack().t(),
        half ? Storage::kBFloat16 : Storage::kFloat32);
  }
  return *shared_->backward;
}

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct FrozenLinear : torch::autograd::Function<FrozenLinear> {
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& x,
      const FrozenWeight* weight) {
    // The handle keeps the panels alive until backward has run.
    context->saved_data["weight"] =
        c10::IValue::make_capsule(c10::make_intrusive<Holder>(*weight));
    return multiply(x, weight->forward());
  }

  static variable_list backward(
      AutogradContext* context, variable_list gradients) {
    const auto holder = context->saved_data["weight"].toCapsule();
    const auto& weight = static_cast<Holder*>(holder.get())->weight;
    auto gradient = gradients[0];
    if (gradient.stride(-1) != 1) gradient = gradient.contiguous();
    return {multiply(gradient, weight.backward()), at::Tensor()};
  }

  struct Holder : torch::CustomClassHolder {
    explicit Holder(const FrozenWeight& held) : weight(held) {}
    FrozenWeight weight;
  };
};

struct AdaptedLinear : torch::autograd::Function<AdaptedLinear> {
  struct Holder : torch::CustomClassHolder {
    Holder(const FrozenWeight& weight_, const RowAdapter& adapter_)
        : weight(weight_),
          down(adapter_.packed_down),
          up(adapter_.packed_up),
          scale(adapter_.scale) {}
    FrozenWeight weight;
    FrozenWeight down;
    FrozenWeight up;
    double scale;
  };

  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& x,
      const at::Tensor& down,
      const at::Tensor& up,
      const FrozenWeight* weight,
      const RowAdapter* adapter) {
    (void)down;
    (void)up;
    at::Tensor y = multiply(x, weight->forward());
    const at::Tensor low = multiply(x, adapter->packed_down.forward());
    low.mul_(adapter->coefficients);
    multiply_add(y, low, adapter->packed_up.forward());
    context->save_for_backward({x, low, adapter->coefficients});
    context->saved_data["x"] = x.requires_grad();
    context->saved_data["weights"] = c10::IValue::make_capsule(
        c10::make_intrusive<Holder>(*weight, *adapter));
    return y;
  }

  static variable_list backward(
      AutogradContext* context, variable_list gradients) {
    const at::NoGradGuard no_gradient;
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& low = saved[1];
    const auto holder = context->saved_data["weights"].toCapsule();
    const auto& held = *static_cast<Holder*>(holder.get());
    at::Tensor of_y = gradients[0];
    if (of_y.stride(-1) != 1) of_y = of_y.contiguous();
    const at::Tensor of_up = at::mm(low.t(), of_y).mul_(held.scale);
    const at::Tensor of_low = multiply(of_y, held.up.backward());
    of_low.mul_(saved[2]);
    const at::Tensor of_down = at::mm(of_low.t(), x);
    at::Tensor of_x;
    if (context->saved_data["x"].toBool()) {
      of_x = multiply(of_y, held.weight.backward());
      multiply_add(of_x, of_low, held.down.backward());
    }
    return {of_x, of_down, of_up, at::Tensor(), at::Tensor()};
  }
};

struct TrainedLinear : torch::autograd::Function<TrainedLinear> {
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& x,
      const at::Tensor& leaf,
      const FrozenWeight* packed) {
    context->save_for_backward({x, leaf});
    context->saved_data["x"] = x.requires_grad();
    const Storage storage = packed->forward().storage();
    context->saved_data["rounds"] = rounds_inputs(storage, x.device());
    return multiply(x, packed->forward());
  }

  static variable_list backward(
      AutogradContext* context, variable_list gradients) {
    const at::NoGradGuard no_gradient;
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& leaf = saved[1];
    const at::Tensor& of_y = gradients[0];
    const bool rounds = context->saved_data["rounds"].toBool();
    const auto rounded = [rounds](const at::Tensor& t) {
      return rounds ? t.to(at::kBFloat16) : t;
    };
    at::Tensor of_x;
    if (context->saved_data["x"].toBool()) {
      const bool pairs = rounds && of_y.device().is_cpu();
      of_x = pairs ? multiply(of_y, PackedMatrix(leaf.t(), Storage::kBFloat16))
                   : at::mm(rounded(of_y), rounded(leaf)).to(at::kFloat);
    }
    const at::Tensor of_leaf = at::mm(rounded(of_y).t(), rounded(x));
    return {of_x, of_leaf.to(at::kFloat), at::Tensor()};
  }
};

}  // namespace

at::Tensor trained_linear(
    const at::Tensor& x, const at::Tensor& leaf, const FrozenWeight& packed) {
  return TrainedLinear::apply(x, leaf, &packed);
}

at::Tensor adapted_linear(
    const at::Tensor& x,
    const FrozenWeight& weight,
    const RowAdapter& adapter) {
  return AdaptedLinear::apply(x, adapter.down, adapter.up, &weight, &adapter);
}

at::Tensor frozen_linear(const at::Tensor& x, const FrozenWeight& weight) {
  if (!x.requires_grad()) {
    return multiply(x, weight.forward());
  }
  return FrozenLinear::apply(x, &weight);
}

}  // namespace moft::kernels
