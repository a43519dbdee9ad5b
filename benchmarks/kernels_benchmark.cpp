// Matrix products of one SmolLM2-135M layer (and its output head) by number
// of rows: at::linear, packed float32, packed bf16. Beside every figure the
// machine's own limits, measured in the same run on the same threads:
// memory bandwidth (a sum over a large buffer) and the matrix rate
// (at::linear with 3000 rows).
//
//   kernels_benchmark --benchmark_filter='packed.*rows:8$' [--threads=2]
//
// Counters: GFLOP/s; GB/s of weights read; `of_roof` is the share of
// min(matrix rate, bandwidth x arithmetic intensity). Weights rotate through
// as many copies as 30 layers have, so that they come from where they come
// from in a real step.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <benchmark/benchmark.h>

#include "moft/kernels/packed_matrix.h"
#include "moft/kernels/sampling.h"
#include "moft/kernels/simd/table.h"
#include "moft/kernels/token_log_probs.h"

namespace moft::kernels {
namespace {

struct Shape {
  const char* name;
  std::int64_t out;
  std::int64_t in;
  int copies;
};

const Shape kShapes[] = {
    {"qkv", 960, 576, 30},
    {"output", 576, 576, 30},
    {"gate_up", 3072, 576, 30},
    {"down", 576, 1536, 30},
    {"head", 49152, 576, 1},
};
const std::int64_t kRows[] = {1, 2, 4, 8, 16, 24, 48, 100, 600, 3000};

enum class Way { kLibrary, kFloat32, kBFloat16 };

struct Roofline {
  double bytes_per_second;
  double flops_per_second;
};

double seconds_of(const std::function<void()>& body) {
  double best = 1e9;
  for (int i = 0; i < 7; ++i) {
    const auto start = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  return best;
}

const Roofline& roofline() {
  static const Roofline measured = [] {
    const auto buffer = at::ones({64 << 20}, at::kFloat);
    const auto x = at::rand({3000, 576}), w = at::rand({3072, 576});
    const double read = seconds_of([&] { (void)buffer.sum(); });
    const double product = seconds_of([&] { (void)at::linear(x, w); });
    return Roofline{
        static_cast<double>(buffer.nbytes()) / read,
        2.0 * 3000 * 576 * 3072 / product};
  }();
  return measured;
}

void run_product(benchmark::State& state, Shape shape, Way way) {
  const at::NoGradGuard no_grad;
  const auto rows = state.range(0);
  const auto storage =
      way == Way::kBFloat16 ? Storage::kBFloat16 : Storage::kFloat32;
  std::vector<at::Tensor> plain;
  std::vector<PackedMatrix> packed;
  for (int i = 0; i < shape.copies; ++i) {
    const auto weight = at::rand({shape.out, shape.in}) - 0.5;
    if (way == Way::kLibrary) {
      plain.push_back(weight);
    } else {
      packed.emplace_back(weight, storage);
    }
  }
  const auto x = at::rand({rows, shape.in}) - 0.5;
  auto out = at::empty({rows, shape.out});
  std::size_t turn = 0;
  for (auto _ : state) {
    if (way == Way::kLibrary) {
      at::linear_out(out, x, plain[turn++ % plain.size()]);
    } else {
      multiply_into(out, x, packed[turn++ % packed.size()]);
    }
    benchmark::ClobberMemory();
  }
  const double flops = 2.0 * rows * shape.out * shape.in;
  const double bytes =
      (way == Way::kBFloat16 ? 2.0 : 4.0) * shape.out * shape.in;
  const double roof = std::min(
      roofline().flops_per_second, roofline().bytes_per_second / bytes * flops);
  using benchmark::Counter;
  const auto rate = Counter::kIsIterationInvariantRate;
  state.counters["GFLOP/s"] = Counter(flops / 1e9, rate);
  state.counters["GB/s"] = Counter(bytes / 1e9, rate);
  state.counters["of_roof"] = Counter(flops / roof, rate);
}

void run_sampling(benchmark::State& state) {
  const auto rows = state.range(0);
  const auto logits = at::randn({rows, 49152});
  const std::vector<double> uniforms(rows, 0.5);
  SampleOptions options;
  if (state.range(1) == 1) options.top_k = 50;
  if (state.range(1) == 2) options.top_p = 0.9;
  for (auto _ : state) {
    benchmark::DoNotOptimize(sample_rows(logits, options, uniforms));
  }
  state.SetItemsProcessed(state.iterations() * rows);
}

void run_exact_kl(benchmark::State& state) {
  const auto rows = state.range(0);
  const auto p = at::randn({rows, 49152}), q = at::randn({rows, 49152});
  for (auto _ : state)
    benchmark::DoNotOptimize(exact_kl(p, q));
  state.SetItemsProcessed(state.iterations() * rows);
}

void register_all() {
  const std::pair<const char*, Way> ways[] = {
      {"library", Way::kLibrary},
      {"packed", Way::kFloat32},
      {"packed_bf16", Way::kBFloat16}};
  for (const auto& shape : kShapes) {
    for (const auto& [way_name, way] : ways) {
      auto* one = benchmark::RegisterBenchmark(
          (std::string(shape.name) + "/" + way_name).c_str(),
          run_product,
          shape,
          way);
      one->ArgName("rows")->UseRealTime()->Unit(benchmark::kMicrosecond);
      for (const auto rows : kRows)
        one->Arg(rows);
    }
  }
  auto* sampling = benchmark::RegisterBenchmark("sample_rows", run_sampling);
  sampling->ArgNames({"rows", "cut"})->UseRealTime();
  for (const int cut : {0, 1, 2})
    sampling->Args({8, cut});
  benchmark::RegisterBenchmark("exact_kl", run_exact_kl)
      ->Arg(16)
      ->UseRealTime();
}

// Takes --threads=N out of the arguments.
void read_threads(int& count, char** arguments) {
  int kept = 1;
  for (int i = 1; i < count; ++i) {
    if (std::strncmp(arguments[i], "--threads=", 10) == 0) {
      at::set_num_threads(std::max(1, std::atoi(arguments[i] + 10)));
    } else {
      arguments[kept++] = arguments[i];
    }
  }
  count = kept;
}

}  // namespace
}  // namespace moft::kernels

int main(int count, char** arguments) {
  using namespace moft::kernels;
  read_threads(count, arguments);
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments)) return 2;
  std::printf(
      "kernels: %s, %d threads; %.1f GB/s of memory, %.1f GFLOP/s at most\n",
      simd::table().name,
      at::get_num_threads(),
      roofline().bytes_per_second / 1e9,
      roofline().flops_per_second / 1e9);
  register_all();
  benchmark::RunSpecifiedBenchmarks();
}
