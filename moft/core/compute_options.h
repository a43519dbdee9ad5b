// Where and how finely to compute: the same fields wherever a model runs.
#pragma once

#include <cstdint>
#include <optional>

#include "moft/core/fields.h"

namespace moft {

// kAuto: the first CUDA device when there is one, else the CPU.
enum class DeviceChoice { kAuto, kCpu, kCuda };
constexpr auto enum_names(DeviceChoice) {
  return EnumNames<DeviceChoice, 3>{{
      {DeviceChoice::kAuto, "auto"},
      {DeviceChoice::kCpu, "cpu"},
      {DeviceChoice::kCuda, "cuda"},
  }};
}

// Precision of matrix products; masters, log-probabilities and KL stay in
// float32.
enum class Precision { kFp32, kBf16 };
constexpr auto enum_names(Precision) {
  return EnumNames<Precision, 2>{{
      {Precision::kFp32, "fp32"},
      {Precision::kBf16, "bf16"},
  }};
}

struct ComputeOptions {
  DeviceChoice device = DeviceChoice::kAuto;
  Precision precision = Precision::kFp32;
  std::optional<std::int64_t> threads;  // absent: one per core

  template <class V>
  void fields(V& v) {
    v("device",
      device,
      Help{"where to compute; auto takes a GPU if there is one"});
    v("precision",
      precision,
      Help{"number format of matrix products; everything else is fp32"});
    v("threads",
      threads,
      Help{"threads on the CPU; null: one per core", "threads"},
      between(1, 4096));
  }
};

}  // namespace moft
