// One query head after the other.
#include "moft/kernels/short_pieces.h"

#include <array>
#include <vector>

#include "moft/kernels/row_view.h"
#include "moft/kernels/simd/table.h"

namespace moft::kernels {
namespace {

// Scores of one piece; more of them are faster in matrices.
constexpr std::int64_t kShort = 1 << 13;

// Calls body(token, head, kv_head, task) for every query token and head.
template <typename Body>
void for_each_query(
    const TreeTensors& tensors,
    const TreePiece& piece,
    HeadRange kv_heads,
    const Body& body) {
  const at::Tensor &k = tensors.k, &v = tensors.v;
  const std::int64_t group = tensors.q.size(1) / k.size(1);
  const bool by_distance = tensors.by_distance.defined();
  const auto q = read_rows(tensors.q);
  const auto y = write_rows(tensors.out.y);
  const auto entries = [&](const Span& span, std::int64_t head) {
    const std::int64_t row = span.begin * k.size(1) + head;
    return simd::Entries{
        read_rows(k)[row],
        read_rows(v)[row],
        k.stride(0),
        v.stride(0),
        span.length};
  };
  std::vector<float> scratch(
      static_cast<std::size_t>(piece.trunk.length + piece.own.length + 16));
  for (std::int64_t kv = 0; kv < kv_heads.count; ++kv) {
    const std::int64_t kv_head = kv_heads.begin + kv;
    std::array runs{entries(piece.trunk, kv_head), entries(piece.own, kv_head)};
    simd::Attention task{};
    task.runs = runs.data();
    task.run_count = std::ssize(runs);
    task.width = tensors.q.size(2);
    task.scale = static_cast<float>(tensors.scale);
    task.scratch = scratch.data();
    for (std::int64_t i = 0; i < piece.own.length; ++i) {
      if (!by_distance) runs.back().count = i + 1;
      for (std::int64_t g = 0; g < group; ++g) {
        const std::int64_t head = kv_head * group + g;
        const std::int64_t token = piece.own.begin + i;
        if (by_distance) {
          task.bias =
              read_rows(tensors.by_distance)[head] + (piece.own.length - 1 - i);
        }
        task.q = q[token * tensors.q.size(1) + head];
        task.result = y[token * tensors.q.size(1) + head];
        body(token, head, kv_head, task);
      }
    }
  }
}

}  // namespace

bool is_short(const TreeTensors& tensors, const TreePiece& piece) {
  const std::int64_t keys = piece.trunk.length + piece.own.length;
  const at::Tensor& q = tensors.q;
  return is_cpu_float(q) && has_float_rows(q) && has_float_rows(tensors.k) &&
         has_float_rows(tensors.v) &&
         piece.own.length * keys * q.size(1) <= kShort;
}

void attend_short(
    const TreeTensors& tensors, const TreePiece& piece, HeadRange kv_heads) {
  float* log_sum = tensors.out.log_sum.mutable_data_ptr<float>();
  const std::int64_t heads = tensors.q.size(1);
  for_each_query(
      tensors,
      piece,
      kv_heads,
      [&](std::int64_t token,
          std::int64_t head,
          std::int64_t,
          simd::Attention& task) {
        task.log_sum = log_sum + token * heads + head;
        simd::table().attention(task);
      });
}

void add_short_gradients(
    const TreeTensors& tensors,
    const TreePiece& piece,
    HeadRange kv_heads,
    const at::Tensor& of_y,
    const TreeGradients& of) {
  const std::int64_t heads = of.q.size(1), kv = of.k.size(1);
  const auto results = read_rows(of_y);
  const auto queries = write_rows(of.q);
  const auto keys = write_rows(of.k), values = write_rows(of.v);
  const auto of_bias = [&](std::int64_t token, std::int64_t head) -> float* {
    if (!of.by_distance.defined()) return nullptr;
    const std::int64_t i = token - piece.own.begin;
    return write_rows(of.by_distance)[head] + (piece.own.length - 1 - i);
  };
  for_each_query(
      tensors,
      piece,
      kv_heads,
      [&](std::int64_t token,
          std::int64_t head,
          std::int64_t kv_head,
          const simd::Attention& task) {
        const std::int64_t trunk = piece.trunk.begin * kv + kv_head;
        const std::int64_t own = piece.own.begin * kv + kv_head;
        const auto of_run = [&](std::int64_t row) {
          return simd::EntryGradients{
              keys[row], values[row], of.k.stride(0), of.v.stride(0)};
        };
        const std::array of_runs{of_run(trunk), of_run(own)};
        simd::table().attention_gradient(
            {.attention = task,
             .of_result = results[token * heads + head],
             .of_q = queries[token * heads + head],
             .of_runs = of_runs.data(),
             .of_bias = of_bias(token, head)});
      });
}

}  // namespace moft::kernels
