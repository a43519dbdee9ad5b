// Memory for packed panels.
#include "moft/kernels/panel_storage.h"

#include <cstdlib>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace moft::kernels {
namespace {

constexpr std::size_t kHugePage = std::size_t{1} << 21;

}  // namespace

at::Tensor panel_storage(at::IntArrayRef shape, at::TensorOptions options) {
  std::size_t bytes = options.dtype().itemsize();
  for (const auto size : shape)
    bytes *= static_cast<std::size_t>(size);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (bytes >= kHugePage) {
    void* memory = nullptr;
    if (posix_memalign(&memory, kHugePage, bytes) != 0) throw std::bad_alloc();
    madvise(memory, bytes, MADV_HUGEPAGE);  // a wish; failure costs nothing
    return at::from_blob(memory, shape, std::free, options);
  }
#endif
  return at::empty(shape, options);
}

}  // namespace moft::kernels
