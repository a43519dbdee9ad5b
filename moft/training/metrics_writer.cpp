// Lines of the logs.
#include "moft/training/metrics_writer.h"

#include <algorithm>
#include <chrono>

#include "moft/core/json.h"
#include "moft/training/event_file.h"

namespace moft {
namespace {

using nlohmann::ordered_json;

double seconds_since_1970() {
  return std::chrono::duration<double>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::uint64_t bytes(std::int64_t length) {
  return static_cast<std::uint64_t>(length);
}

ordered_json by_name(
    const std::vector<std::string>& names, const std::vector<double>& values) {
  ordered_json object = ordered_json::object();
  for (std::size_t i = 0; i < names.size(); ++i)
    object[names[i]] = values[i];
  return object;
}

}  // namespace

ordered_json sample_to_json(
    const TrainingSample& sample,
    std::int64_t step,
    const std::vector<std::string>& objectives) {
  ordered_json json;
  json["format_version"] = kMetricsFormatVersion;
  json["step"] = step;
  json["example"] = sample.example->id;
  json["prompt"] = sample.prompt;
  json["completion"] = sample.completion;
  json["steering"]["weights"] = by_name(objectives, sample.steering.w.values());
  json["steering"]["alpha"] = sample.steering.alpha;
  json["rewards"] = by_name(objectives, sample.rewards);
  json["raw_rewards"] = by_name(objectives, sample.raw_rewards);
  json["kl"] = sample.kl;
  json["reward"] = sample.reward;
  json["advantage"] = sample.advantage;
  json["tokens"] = sample.tokens;
  json["finished"] = sample.finished;
  if (!sample.texts.empty()) json["texts"] = sample.texts;
  return json;
}

void check_log_lengths(
    const std::filesystem::path& directory, const LogLengths& lengths) {
  check_length(directory / kMetricsFile, bytes(lengths.metrics));
  check_length(directory / kSamplesFile, bytes(lengths.samples));
  check_length(directory / kEventFile, bytes(lengths.events));
}

MetricsWriter::MetricsWriter(
    const std::filesystem::path& directory,
    const LogLengths& start,
    std::vector<std::string> objectives,
    std::optional<std::int64_t> log_samples)
    : objectives_(std::move(objectives)),
      log_samples_(log_samples),
      metrics_(directory / kMetricsFile, bytes(start.metrics)),
      samples_(directory / kSamplesFile, bytes(start.samples)),
      events_(directory / kEventFile, bytes(start.events)) {
  if (start.events == 0) events_.append(version_record(seconds_since_1970()));
}

void MetricsWriter::write(const StepResult& result) {
  ordered_json line;
  line["format_version"] = kMetricsFormatVersion;
  line["step"] = result.step;
  for (const auto& [name, value] : result.metrics)
    line[name] = value;
  metrics_.append(dump_json(line) + "\n");
  events_.append(
      scalars_record(seconds_since_1970(), result.step, result.metrics));
  auto count = static_cast<std::int64_t>(result.samples.size());
  count = std::min(count, log_samples_.value_or(count));
  std::string lines;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto& sample = result.samples[static_cast<std::size_t>(i)];
    lines += dump_json(sample_to_json(sample, result.step, objectives_)) + "\n";
  }
  samples_.append(lines);
}

LogLengths MetricsWriter::flush() {
  metrics_.flush();
  samples_.flush();
  events_.flush();
  return {
      static_cast<std::int64_t>(metrics_.length()),
      static_cast<std::int64_t>(samples_.length()),
      static_cast<std::int64_t>(events_.length())};
}

}  // namespace moft
