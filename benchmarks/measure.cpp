#include "benchmarks/measure.h"

#include <algorithm>
#include <chrono>
#include <ctime>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include "moft/core/random.h"

namespace moft::benchmarks {

namespace {

double wall_now() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

double cpu_now() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) +
         1e-9 * static_cast<double>(time.tv_nsec);
}

double best_of(int times, const std::function<void()>& body) {
  const Timings timings = measure(times, body);
  return *std::min_element(timings.wall.begin(), timings.wall.end());
}

}  // namespace

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  if (values.size() % 2 == 1) return values[middle];
  return (values[middle - 1] + values[middle]) / 2;
}

void measure_once(const std::function<void()>& body, Timings& timings) {
  const double wall = wall_now(), cpu = cpu_now();
  body();
  timings.wall.push_back(wall_now() - wall);
  timings.cpu.push_back(cpu_now() - cpu);
}

Timings measure(int repetitions, const std::function<void()>& body) {
  Timings timings;
  body();
  for (int i = 0; i < repetitions; ++i)
    measure_once(body, timings);
  return timings;
}

double Roofline::seconds(double flops, double bytes) const {
  return std::max(flops / flops_per_second, bytes / bytes_per_second);
}

Roofline measure_roofline(bool bfloat16) {
  const at::NoGradGuard no_grad;
  const auto buffer = at::ones({64 << 20}, at::kFloat);
  const auto type = bfloat16 ? at::kBFloat16 : at::kFloat;
  const auto x = at::rand({3000, 576}).to(type);
  const auto w = at::rand({3072, 576}).to(type);
  Roofline found;
  found.bytes_per_second = static_cast<double>(buffer.nbytes()) /
                           best_of(7, [&] { (void)buffer.sum(); });
  found.flops_per_second =
      2.0 * 3000 * 576 * 3072 / best_of(7, [&] { (void)at::linear(x, w); });
  return found;
}

std::int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

void report(
    const std::string& name,
    double units,
    const std::string& unit,
    const Timings& timings,
    double roofline_seconds,
    const nlohmann::json& extra) {
  const double wall = median(timings.wall);
  const auto [low, high] =
      std::minmax_element(timings.wall.begin(), timings.wall.end());
  nlohmann::ordered_json line = {
      {"name", name},
      {"unit", unit},
      {"per_s", units / wall},
      {"wall_s", wall},
      {"wall_min", *low},
      {"wall_max", *high},
      {"cpu_s", median(timings.cpu)},
      {"threads", at::get_num_threads()},
      {"reps", timings.wall.size()}};
  if (roofline_seconds > 0.0) {
    line["roofline_s"] = roofline_seconds;
    line["of_roofline"] = roofline_seconds / wall;
  }
  line.update(nlohmann::ordered_json(extra));
  fmt::print("{}\n", line.dump());
  std::fflush(stdout);
}

std::vector<std::vector<std::int32_t>> random_ids(
    std::size_t rows,
    std::size_t length,
    std::int64_t vocabulary,
    std::uint32_t seed,
    std::int64_t low) {
  std::vector<std::vector<std::int32_t>> lists(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    RandomStream stream(seed, Purpose::kTest, 0, static_cast<std::uint32_t>(r));
    for (std::size_t i = 0; i < length; ++i) {
      lists[r].push_back(static_cast<std::int32_t>(
          low + static_cast<std::int64_t>(stream.below(
                    static_cast<std::uint64_t>(vocabulary - low)))));
    }
  }
  return lists;
}

}  // namespace moft::benchmarks
