// Every (query row, key/value head) on its own, by the SIMD kernel.
#include "moft/kernels/attention.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"
#include "moft/kernels/attention_aten.h"
#include "moft/kernels/parallel.h"
#include "moft/kernels/row_view.h"
#include "moft/kernels/simd/table.h"

namespace moft::kernels {
namespace {

const std::int64_t* local_indices(const at::Tensor& indices, const char* name) {
  if (indices.dim() != 1 || indices.scalar_type() != at::kLong ||
      !indices.device().is_cpu() || !indices.is_contiguous()) {
    throw_caller_error("attention: {} must be int64 [rows]", name);
  }
  return indices.const_data_ptr<std::int64_t>();
}

void check_shapes(const at::Tensor& q, const KeyValuePages& pages) {
  const at::Tensor& keys = pages.keys;
  if (q.dim() == 3 && keys.dim() == 4 && q.size(2) == keys.size(3) &&
      keys.size(2) > 0 && q.size(1) % keys.size(2) == 0 &&
      keys.sizes() == pages.values.sizes() && pages.table.dim() == 2 &&
      pages.table.scalar_type() == at::kInt) {
    return;
  }
  throw_caller_error(
      "attention: q must be [N, heads, d], keys and values [pages, page_size, "
      "kv_heads, d] of one shape, the table int32 [slots, pages] (q has {} "
      "dimensions, keys {})",
      q.dim(),
      keys.dim());
}

// Where the entries of pages lie in memory.
class PageMap {
 public:
  explicit PageMap(const KeyValuePages& pages)
      : keys_(pages.keys),
        values_(pages.values),
        table_(pages.table.const_data_ptr<std::int32_t>()),
        table_stride_(pages.table.stride(0)),
        slots_(pages.table.size(0)),
        width_(pages.table.size(1)),
        size_(pages.keys.size(1)) {}

  void check(
      std::int64_t row,
      std::int64_t slot,
      std::int64_t length,
      std::int64_t least) const {
    if (slot < 0 || slot >= slots_ || length < least ||
        length > width_ * size_) {
      throw_caller_error(
          "attention: row {} reads slot {} of {} up to entry {} of {}",
          row,
          slot,
          slots_,
          length,
          width_ * size_);
    }
    for (std::int64_t p = 0; p * size_ < length; ++p) {
      const std::int32_t page = page_of(slot, p);
      if (page >= 0 && page < keys_.pages) continue;
      throw_caller_error(
          "attention: row {} reads page {} of {}", row, page, keys_.pages);
    }
  }

  // The first `count` entries of a slot for one head, page by page.
  void runs(
      std::int64_t slot,
      std::int64_t head,
      std::int64_t count,
      std::vector<simd::Entries>& result) const {
    result.clear();
    for (std::int64_t p = 0; count > 0; ++p, count -= size_) {
      const std::int64_t page = page_of(slot, p);
      result.push_back(
          {keys_.data + page * keys_.page + head * keys_.head,
           values_.data + page * values_.page + head * values_.head,
           keys_.entry,
           values_.entry,
           std::min(count, size_)});
    }
  }

 private:
  struct Side {
    explicit Side(const at::Tensor& t)
        : data(t.const_data_ptr<float>()),
          pages(t.size(0)),
          page(t.stride(0)),
          entry(t.stride(1)),
          head(t.stride(2)) {}
    const float* data;
    std::int64_t pages;
    std::int64_t page, entry, head;  // strides
  };

  std::int32_t page_of(std::int64_t slot, std::int64_t p) const {
    return table_[slot * table_stride_ + p];
  }

  Side keys_;
  Side values_;
  const std::int32_t* table_;
  std::int64_t table_stride_;
  std::int64_t slots_;
  std::int64_t width_;
  std::int64_t size_;
};

// What each query row reads.
struct Reads {
  std::vector<std::int64_t> slots;
  std::vector<std::int64_t> lengths;
  std::int64_t longest = 0;
  std::int64_t total = 0;

  void add(std::int64_t slot, std::int64_t length) {
    slots.push_back(slot);
    lengths.push_back(length);
    longest = std::max(longest, length);
    total += length;
  }
};

Reads reads_of(
    std::int64_t rows, const PageMap& map, const PagedQueries& queries) {
  const auto* slot = local_indices(queries.slots, "slots");
  const auto* length = local_indices(queries.lengths, "lengths");
  const std::int64_t sequences = queries.slots.size(0);
  const bool many = queries.offsets.defined();
  const auto* offset = many ? local_indices(queries.offsets, "offsets") : slot;
  const std::int64_t ends = many ? queries.offsets.size(0) - 1 : sequences;
  if (queries.lengths.size(0) != sequences || ends != sequences ||
      (many ? offset[0] != 0 || offset[sequences] != rows
            : sequences != rows)) {
    throw_caller_error(
        "attention: {} queries, {} slots, {} lengths; give a slot and a length "
        "per sequence, and offsets that rise from 0 to the queries",
        rows,
        sequences,
        queries.lengths.size(0));
  }
  Reads reads;
  for (std::int64_t s = 0; s < sequences; ++s) {
    const std::int64_t count = many ? offset[s + 1] - offset[s] : 1;
    if (count < 0) {
      throw_caller_error(
          "attention: the offsets fall after sequence {}; they must rise from "
          "0 to the {} queries",
          s,
          rows);
    }
    map.check(s, slot[s], length[s], count);
    for (std::int64_t t = 1; t <= count; ++t)
      reads.add(slot[s], length[s] - count + t);
  }
  return reads;
}

// A bias with its table numbers on the CPU, or none.
struct LocalBias {
  at::Tensor values;
  const std::int64_t* tables = nullptr;

  std::int64_t table(std::int64_t row) const {
    return tables != nullptr ? tables[row] : 0;
  }
  // Scores of one query head that reads `length` entries; null without a bias.
  const float* of(
      std::int64_t row, std::int64_t head, std::int64_t length) const {
    if (!values.defined()) return nullptr;
    return values.const_data_ptr<float>() + table(row) * values.stride(0) +
           head * values.stride(1) + values.size(2) - length;
  }
};

LocalBias local_bias(
    const at::Tensor& q,
    const std::optional<ScoreBias>& bias,
    std::int64_t longest) {
  LocalBias local;
  if (!bias) return local;
  local.values = with_rows(bias->values);
  bool fits = is_cpu_float(local.values) && local.values.dim() == 3 &&
              local.values.size(0) > 0 && local.values.size(1) == q.size(1) &&
              local.values.size(2) >= longest;
  if (bias->tables.defined()) {
    local.tables = local_indices(bias->tables, "bias tables");
    fits = fits && bias->tables.size(0) == q.size(0);
  }
  if (!fits) {
    throw_caller_error(
        "attention: the bias must be [tables, {} heads, {} entries or more] "
        "with one table per row",
        q.size(1),
        longest);
  }
  for (std::int64_t row = 0; row < q.size(0); ++row) {
    if (local.table(row) >= 0 && local.table(row) < local.values.size(0)) {
      continue;
    }
    throw_caller_error(
        "attention: row {} reads bias table {} of {}",
        row,
        local.table(row),
        local.values.size(0));
  }
  return local;
}

at::Tensor attend_rows(
    const at::Tensor& q,
    std::int64_t kv_heads,
    double scale,
    const PageMap& map,
    const Reads& reads,
    const LocalBias& bias) {
  auto out = at::empty(q.sizes(), q.options());
  const auto heads = q.size(1), width = q.size(2);
  const auto group = heads / kv_heads;
  const auto queries = read_rows(q);
  const auto results = write_rows(out);
  const auto rows = std::max<std::int64_t>(1, q.size(0));
  const auto work =
      std::max<std::int64_t>(1, reads.total / rows * width * group);
  const auto grain = std::max<std::int64_t>(1, (1 << 15) / work);
  parallel_ranges(q.size(0) * kv_heads, grain, [&](auto begin, auto end) {
    std::vector<float> scratch(reads.longest + 16);
    std::vector<simd::Entries> runs;
    for (auto unit = begin; unit < end; ++unit) {
      const auto row = unit / kv_heads, head = unit % kv_heads;
      const auto length = reads.lengths[row];
      map.runs(reads.slots[row], head, length, runs);
      simd::Attention task{};
      task.runs = runs.data();
      task.run_count = std::ssize(runs);
      task.width = width;
      task.scale = static_cast<float>(scale);
      task.scratch = scratch.data();
      for (std::int64_t g = 0; g < group; ++g) {
        const auto index = row * heads + head * group + g;
        task.bias = bias.of(row, head * group + g, length);
        task.q = queries[index];
        task.result = results[index];
        simd::table().attention(task);
      }
    }
  });
  return out;
}

}  // namespace

at::Tensor paged_attention(
    const at::Tensor& q,
    const KeyValuePages& pages,
    const PagedQueries& queries,
    double scale,
    const std::optional<ScoreBias>& bias) {
  const at::NoGradGuard no_grad;
  check_shapes(q, pages);
  if (!has_float_rows(q) || !has_float_rows(pages.keys) ||
      !has_float_rows(pages.values)) {
    return paged_attention_aten(q, pages, queries, scale, bias);
  }
  const PageMap map(pages);
  const Reads reads = reads_of(q.size(0), map, queries);
  return attend_rows(
      q,
      pages.keys.size(2),
      scale,
      map,
      reads,
      local_bias(q, bias, reads.longest));
}

void store_entries(
    const KeyValuePages& pages,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& slots,
    const at::Tensor& positions) {
  const at::NoGradGuard no_grad;
  if (!has_float_rows(k) || !has_float_rows(v) || !has_float_rows(pages.keys)) {
    store_entries_aten(pages, k, v, slots, positions);
    return;
  }
  const auto* slot = local_indices(slots, "slots");
  const auto* position = local_indices(positions, "positions");
  const auto* table = pages.table.const_data_ptr<std::int32_t>();
  const std::int64_t size = pages.keys.size(1), heads = k.size(1);
  const auto store = [&](const at::Tensor& all,
                         const at::Tensor& tokens,
                         std::int64_t i) {
    const std::int64_t page =
        table[slot[i] * pages.table.stride(0) + position[i] / size];
    float* to = all.mutable_data_ptr<float>() + page * all.stride(0) +
                position[i] % size * all.stride(1);
    const float* from = tokens.const_data_ptr<float>() + i * tokens.stride(0);
    for (std::int64_t head = 0; head < heads; ++head) {
      std::memcpy(
          to + head * all.stride(2),
          from + head * tokens.stride(1),
          static_cast<std::size_t>(k.size(2)) * sizeof(float));
    }
  };
  const std::int64_t grain = 1 + (1 << 14) / (heads * k.size(2));
  parallel_ranges(k.size(0), grain, [&](auto begin, auto end) {
    for (auto i = begin; i < end; ++i) {
      store(pages.keys, k, i);
      store(pages.values, v, i);
    }
  });
}

}  // namespace moft::kernels
