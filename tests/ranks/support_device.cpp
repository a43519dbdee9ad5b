// libtorch's device for private use, on memory of the CPU's.
#include "tests/ranks/support_device.h"

#include <cstdlib>
#include <optional>

#include <ATen/EmptyTensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

namespace moft::test {
namespace {

constexpr auto kType = c10::DeviceType::PrivateUse1;
constexpr auto kKey = c10::DispatchKey::PrivateUse1;

class Memory final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    c10::DataPtr held = c10::GetCPUAllocator()->allocate(bytes);
    void* const data = held.get();
    void* const context = held.release_context();
    return {
        data,
        context,
        c10::GetCPUAllocator()->raw_deleter(),
        c10::Device(kType, 0)};
  }
  c10::DeleterFnPtr raw_deleter() const override {
    return c10::GetCPUAllocator()->raw_deleter();
  }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

Memory& memory() {
  static Memory all;
  return all;
}

struct Guard final : c10::impl::NoOpDeviceGuardImpl<kType> {
  c10::Device exchangeDevice(c10::Device) const override { return {kType, 0}; }
  c10::Device getDevice() const override { return {kType, 0}; }
  // One stream, in which everything has ended.
  c10::Stream getStream(c10::Device) const noexcept override {
    return stream();
  }
  c10::Stream exchangeStream(c10::Stream) const noexcept override {
    return stream();
  }
  void record(
      void**,
      const c10::Stream&,
      const c10::DeviceIndex,
      const c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }

 private:
  static c10::Stream stream() {
    return c10::Stream(c10::Stream::DEFAULT, {kType, 0});
  }
};

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
};

at::ScalarType type_or_float(std::optional<at::ScalarType> type) {
  return type.value_or(at::kFloat);
}

at::Tensor empty(
    at::IntArrayRef size,
    std::optional<at::ScalarType> type,
    std::optional<at::Layout>,
    std::optional<at::Device>,
    std::optional<bool>,
    std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(
      size, &memory(), c10::DispatchKeySet(kKey), type_or_float(type), format);
}

at::Tensor empty_strided(
    at::IntArrayRef size,
    at::IntArrayRef stride,
    std::optional<at::ScalarType> type,
    std::optional<at::Layout>,
    std::optional<at::Device>,
    std::optional<bool>) {
  return at::detail::empty_strided_generic(
      size, stride, &memory(), c10::DispatchKeySet(kKey), type_or_float(type));
}

// The same memory as the CPU sees it.
at::Tensor on_cpu(const at::Tensor& tensor) {
  if (tensor.device().is_cpu()) return tensor;
  return at::from_blob(
      tensor.data_ptr(),
      tensor.sizes(),
      tensor.strides(),
      at::TensorOptions(tensor.scalar_type()));
}

at::Tensor copy_from(const at::Tensor& self, const at::Tensor& to, bool) {
  at::Tensor there = on_cpu(to);
  there.copy_(on_cpu(self));
  return to;
}

at::Tensor copy_from_and_resize(const at::Tensor& self, const at::Tensor& to) {
  at::Tensor target = to;
  if (target.sizes() != self.sizes()) target.resize_(self.sizes());
  return copy_from(self, target, false);
}

at::Tensor as_strided(
    const at::Tensor& self,
    at::IntArrayRef size,
    at::IntArrayRef stride,
    std::optional<std::int64_t> offset) {
  return at::native::as_strided_tensorimpl(self, size, stride, offset);
}

at::Tensor reshape_alias(
    const at::Tensor& self, at::IntArrayRef size, at::IntArrayRef stride) {
  return at::native::_reshape_alias(self, size, stride);
}

at::Tensor view(const at::Tensor& self, at::IntArrayRef size) {
  return at::native::view(self, size);
}

const at::Tensor& resize(
    const at::Tensor& self,
    at::IntArrayRef size,
    std::optional<at::MemoryFormat>) {
  auto* impl = self.unsafeGetTensorImpl();
  impl->set_sizes_contiguous(size);
  const auto bytes = static_cast<std::size_t>(self.numel()) * self.itemsize();
  auto* storage = impl->unsafe_storage().unsafeGetStorageImpl();
  if (storage->nbytes() < bytes) {
    storage->set_data_ptr_noswap(memory().allocate(bytes));
    storage->set_nbytes(bytes);
  }
  return self;
}

void compute_on_cpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  at::native::cpu_fallback(op, stack);
}

}  // namespace

at::Device other_device() {
  static const bool registered = [] {
    c10::register_privateuse1_backend("other");
    c10::SetAllocator(kType, &memory());
    static Hooks hooks;
    at::RegisterPrivateUse1HooksInterface(&hooks);
    static const Guard guard;
    static const c10::impl::DeviceGuardImplRegistrar guards(kType, &guard);
    static torch::Library all(
        torch::Library::IMPL, "_", kKey, __FILE__, __LINE__);
    all.fallback(torch::CppFunction::makeFromBoxedFunction<&compute_on_cpu>());
    static torch::Library some(
        torch::Library::IMPL, "aten", kKey, __FILE__, __LINE__);
    some.impl("empty.memory_format", TORCH_FN(empty));
    some.impl("empty_strided", TORCH_FN(empty_strided));
    some.impl("_copy_from", TORCH_FN(copy_from));
    some.impl("_copy_from_and_resize", TORCH_FN(copy_from_and_resize));
    some.impl("as_strided", TORCH_FN(as_strided));
    some.impl("_reshape_alias", TORCH_FN(reshape_alias));
    some.impl("view", TORCH_FN(view));
    some.impl("resize_", TORCH_FN(resize));
    return true;
  }();
  (void)registered;
  return {kType, 0};
}

}  // namespace moft::test
