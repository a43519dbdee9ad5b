// The logs of a run: metrics.jsonl, samples.jsonl and TensorBoard events. See
// docs/metrics.md for the keys.
//
// Errors: as AppendFile's.
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/training/append_file.h"
#include "moft/training/trainer.h"

namespace moft {

inline constexpr std::int64_t kMetricsFormatVersion = 1;
inline constexpr const char* kMetricsFile = "metrics.jsonl";
inline constexpr const char* kSamplesFile = "samples.jsonl";
inline constexpr const char* kEventFile = "events.out.tfevents.moft";

// Length of each log in bytes at a checkpoint.
struct LogLengths {
  std::int64_t metrics = 0;
  std::int64_t samples = 0;
  std::int64_t events = 0;
};

// CallerError when a log in `directory` is shorter than `lengths` says.
void check_log_lengths(
    const std::filesystem::path& directory, const LogLengths& lengths);

class MetricsWriter {
 public:
  // Cuts the logs in `directory` to `start` and appends to them.
  // log_samples: completions of a step written; none: all.
  MetricsWriter(
      const std::filesystem::path& directory,
      const LogLengths& start,
      std::vector<std::string> objectives,
      std::optional<std::int64_t> log_samples);

  void write(const StepResult& result);
  // Returns the lengths once everything is on the disk.
  LogLengths flush();

 private:
  std::vector<std::string> objectives_;
  std::optional<std::int64_t> log_samples_;
  AppendFile metrics_;
  AppendFile samples_;
  AppendFile events_;
};

// One line of samples.jsonl.
nlohmann::ordered_json sample_to_json(
    const TrainingSample& sample,
    std::int64_t step,
    const std::vector<std::string>& objectives);

}  // namespace moft
