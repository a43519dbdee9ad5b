// Timing, the machine's own limits, and one line of JSON per measurement: the
// fields are those of the peers' scripts, so that one reader takes both.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace moft::benchmarks {

struct Timings {
  std::vector<double> wall;  // seconds, one per repetition
  std::vector<double> cpu;   // seconds of the whole process
};

double median(std::vector<double> values);

// One run, added to `timings`.
void measure_once(const std::function<void()>& body, Timings& timings);

// One run to warm up, then `repetitions` timed ones.
Timings measure(int repetitions, const std::function<void()>& body);

// What the memory and the matrix units give, measured by the same threads.
struct Roofline {
  double bytes_per_second = 0.0;  // a sum over 256 MB
  double flops_per_second = 0.0;  // at::linear with 3000 rows

  // The least time for work that must read `bytes` and do `flops`.
  double seconds(double flops, double bytes) const;
};
// Matrix products of float32 or of bfloat16.
Roofline measure_roofline(bool bfloat16);

// Highest resident memory of this process so far, bytes.
std::int64_t peak_memory();

// Prints name, rate (units per second of the median), wall and CPU seconds,
// the roofline's share of the median time, and what `extra` adds.
void report(
    const std::string& name,
    double units,
    const std::string& unit,
    const Timings& timings,
    double roofline_seconds,
    const nlohmann::json& extra = nlohmann::json::object());

// `rows` lists of `length` ids in [low, vocabulary), the same for every run.
std::vector<std::vector<std::int32_t>> random_ids(
    std::size_t rows,
    std::size_t length,
    std::int64_t vocabulary,
    std::uint32_t seed,
    std::int64_t low = 100);

}  // namespace moft::benchmarks
