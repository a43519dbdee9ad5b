// What `moft plan` found, as text and as JSON.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/recipes/measure_rates.h"
#include "moft/recipes/plan_devices.h"
#include "moft/training/memory_estimate.h"
#include "moft/training/step_work.h"

namespace moft {

// What ranks on one machine are assumed to send by gloo, bytes/s.
inline constexpr double kLoopbackBytes = 1e9;

struct PlanReport {
  std::string recipe;  // its name
  MemoryQuestion question;
  MemoryEstimate memory;
  MeanLengths lengths;
  StepWork work;
  // None: no step is predicted.
  std::optional<StepRates> rates;
  const PlanDevice* device = nullptr;  // null: this machine
  // This machine's.
  std::optional<MeasuredRates> measured;
  std::string here;                       // "cpu, fp32, 2 threads"
  std::optional<std::int64_t> available;  // bytes
  std::vector<std::string> notes;
};

std::string text_of(const PlanReport& report);
nlohmann::ordered_json json_of(const PlanReport& report);

}  // namespace moft
