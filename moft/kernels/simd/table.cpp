// Picks the kernels for this processor.
#include "moft/kernels/simd/table.h"

#include <cstdlib>
#include <string_view>

namespace moft::kernels::simd {
namespace {

const Table& choose() {
  const char* wish = std::getenv("MOFT_SIMD");
  const std::string_view limit = wish == nullptr ? "" : wish;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  const bool avx512bf16 = avx512 && __builtin_cpu_supports("avx512bf16");
  const bool lower = limit == "avx2" || limit == "generic";
  if (avx512bf16 && !lower && limit != "avx512") return kAvx512Bf16;
  if (avx512 && !lower) return kAvx512;
  if (avx2 && limit != "generic") return kAvx2;
#endif
  return kGeneric;
}

}  // namespace

const Table& table() {
  static const Table& chosen = choose();
  return chosen;
}

}  // namespace moft::kernels::simd
