#include "moft/kernels/attention.h"

#include <algorithm>
#include <functional>
#include <vector>

#include <ATen/core/grad_mode.h>

#include "moft/core/errors.h"
#include "moft/kernels/batched.h"
#include "moft/kernels/parallel.h"
#include "moft/kernels/row_view.h"
#include "moft/kernels/simd/table.h"

namespace moft::kernels {
namespace {

// q [heads, d], keys and values [kv_heads, L, d], bias [heads, L] or
// undefined -> [heads, d].
at::Tensor attend_aten(
    const at::Tensor& q,
    const at::Tensor& keys,
    const at::Tensor& values,
    double scale,
    const at::Tensor& bias = {}) {
  const auto kv_heads = keys.size(0);
  const auto grouped = q.reshape({kv_heads, -1, q.size(-1)});
  auto scores =
      at::matmul(grouped, keys.transpose(1, 2)).to(at::kFloat) * scale;
  if (bias.defined()) scores = scores + bias.reshape(scores.sizes());
  const auto weights = at::softmax(scores, -1).to(values.scalar_type());
  return at::matmul(weights, values).reshape(q.sizes());
}

at::Tensor local_indices(const at::Tensor& indices, const char* name) {
  if (indices.dim() != 1 || indices.scalar_type() != at::kLong) {
    throw_caller_error("attention: {} must be int64 [rows]", name);
  }
  return indices.to(at::kCPU).contiguous();
}

void check_heads(
    const at::Tensor& q, const at::Tensor& keys, std::int64_t head_dim) {
  if (q.dim() == 3 && keys.dim() == head_dim + 3 &&
      q.size(2) == keys.size(-1) && keys.size(1) > 0 &&
      q.size(1) % keys.size(1) == 0) {
    return;
  }
  throw_caller_error(
      "attention: q must be [N, heads, d] and the keys' heads and d must fit "
      "(q has {} dimensions, keys {})",
      q.dim(),
      keys.dim());
}

void check_range(
    std::int64_t row,
    std::int64_t slot,
    std::int64_t length,
    std::int64_t least,
    const at::Tensor& keys) {
  if (slot >= 0 && slot < keys.size(0) && length >= least &&
      length <= keys.size(2)) {
    return;
  }
  throw_caller_error(
      "attention: row {} reads slot {} of {} up to entry {} of {}",
      row,
      slot,
      keys.size(0),
      length,
      keys.size(2));
}

// The entries of one (slot, head) of static buffers.
simd::Entries buffer_entries(
    const at::Tensor& keys,
    const at::Tensor& values,
    std::int64_t slot,
    std::int64_t head,
    std::int64_t count) {
  return {
      keys.const_data_ptr<float>() + slot * keys.stride(0) +
          head * keys.stride(1),
      values.const_data_ptr<float>() + slot * values.stride(0) +
          head * values.stride(1),
      keys.stride(2),
      values.stride(2),
      count};
}

// Fills the two runs of query row `row` for key/value head `head`.
using FindRuns = std::function<void(
    std::int64_t row, std::int64_t head, simd::Entries (&runs)[2])>;

// A bias with its table numbers on the CPU, or none.
struct LocalBias {
  at::Tensor values;
  at::Tensor tables;

  std::int64_t table(std::int64_t row) const {
    return tables.defined() ? tables.const_data_ptr<std::int64_t>()[row] : 0;
  }
  // Of one query head; null without a bias. REQUIRES float32 rows.
  const float* of(std::int64_t row, std::int64_t head) const {
    if (!values.defined()) return nullptr;
    return values.const_data_ptr<float>() + table(row) * values.stride(0) +
           head * values.stride(1);
  }
};

LocalBias local_bias(
    const at::Tensor& q,
    const std::optional<ScoreBias>& bias,
    std::int64_t longest) {
  LocalBias local;
  if (!bias) return local;
  local.values = with_rows(bias->values);
  const bool fits = local.values.dim() == 3 && local.values.size(0) > 0 &&
                    local.values.size(1) == q.size(1) &&
                    local.values.size(2) >= longest;
  if (bias->tables.defined()) {
    local.tables = local_indices(bias->tables, "bias tables");
  }
  if (!fits || (local.tables.defined() && local.tables.size(0) != q.size(0))) {
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

// Every (row, head) on its own; `longest` bounds the entries of any row.
at::Tensor attend_rows(
    const at::Tensor& q,
    std::int64_t kv_heads,
    double scale,
    const LocalBias& bias,
    std::int64_t longest,
    std::int64_t average,
    const FindRuns& find_runs) {
  auto out = at::empty(q.sizes(), q.options());
  const auto heads = q.size(1), width = q.size(2);
  const auto group = heads / kv_heads;
  const auto queries = read_rows(q);
  const auto results = write_rows(out);
  const auto work = std::max<std::int64_t>(1, average * width * group);
  const auto grain = std::max<std::int64_t>(1, (1 << 15) / work);
  parallel_ranges(q.size(0) * kv_heads, grain, [&](auto begin, auto end) {
    std::vector<float> scratch(longest + 16);
    for (auto unit = begin; unit < end; ++unit) {
      const auto row = unit / kv_heads, head = unit % kv_heads;
      simd::Attention task{};
      find_runs(row, head, task.runs);
      task.width = width;
      task.scale = static_cast<float>(scale);
      task.scratch = scratch.data();
      for (std::int64_t g = 0; g < group; ++g) {
        const auto index = row * heads + head * group + g;
        task.bias = bias.of(row, head * group + g);
        task.q = queries[index];
        task.result = results[index];
        simd::table().attention(task);
      }
    }
  });
  return out;
}

at::Tensor decode_aten(
    const at::Tensor& q,
    const at::Tensor& keys,
    const at::Tensor& values,
    const std::int64_t* slot,
    const std::int64_t* length,
    double scale,
    const LocalBias& bias) {
  auto out = at::empty(q.sizes(), q.options());
  for (std::int64_t row = 0; row < q.size(0); ++row) {
    at::Tensor row_bias;
    if (bias.values.defined()) {
      row_bias = bias.values[bias.table(row)].narrow(1, 0, length[row]);
    }
    out[row].copy_(attend_aten(
        q[row],
        keys[slot[row]].narrow(1, 0, length[row]),
        values[slot[row]].narrow(1, 0, length[row]),
        scale,
        row_bias));
  }
  return out;
}

// A prefix with its indices on the CPU, or none.
struct LocalPrefix {
  const Prefix* prefix = nullptr;
  at::Tensor slots;
  at::Tensor lengths;

  std::int64_t slot(std::int64_t s) const {
    return slots.const_data_ptr<std::int64_t>()[s];
  }
  std::int64_t length(std::int64_t s) const {
    if (prefix == nullptr) return 0;
    return lengths.const_data_ptr<std::int64_t>()[s];
  }
};

LocalPrefix local_prefix(
    const at::Tensor& q,
    const std::optional<Prefix>& prefix,
    std::int64_t sequences) {
  LocalPrefix local;
  if (!prefix) return local;
  check_heads(q, prefix->keys, 1);
  local.prefix = &*prefix;
  local.slots = local_indices(prefix->slots, "prefix slots");
  local.lengths = local_indices(prefix->lengths, "prefix lengths");
  if (local.slots.size(0) != sequences || local.lengths.size(0) != sequences) {
    throw_caller_error(
        "attention: the prefix has {} slots for {} sequences",
        local.slots.size(0),
        sequences);
  }
  for (std::int64_t s = 0; s < sequences; ++s) {
    check_range(s, local.slot(s), local.length(s), 0, prefix->keys);
  }
  return local;
}

// Which sequence each token belongs to; checks the offsets.
std::vector<std::int64_t> token_sequences(
    const at::Tensor& offsets, std::int64_t tokens) {
  const auto* offset = offsets.const_data_ptr<std::int64_t>();
  const auto sequences = offsets.size(0) - 1;
  bool good = sequences >= 0 && offset[0] == 0 && offset[sequences] == tokens;
  for (std::int64_t s = 0; good && s < sequences; ++s) {
    good = offset[s] <= offset[s + 1];
  }
  if (!good) {
    throw_caller_error(
        "prefill_attention: offsets must rise from 0 to the {} tokens", tokens);
  }
  std::vector<std::int64_t> sequence(tokens);
  for (std::int64_t s = 0; s < sequences; ++s) {
    std::fill(
        sequence.begin() + offset[s], sequence.begin() + offset[s + 1], s);
  }
  return sequence;
}

at::Tensor prefill_aten(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const std::int64_t* offset,
    const std::vector<std::int64_t>& sequence,
    double scale,
    const LocalPrefix& prefix) {
  auto out = at::empty(q.sizes(), q.options());
  for (std::int64_t t = 0; t < q.size(0); ++t) {
    const auto s = sequence[t];
    const auto count = t + 1 - offset[s];
    auto keys = k.narrow(0, offset[s], count).transpose(0, 1);
    auto values = v.narrow(0, offset[s], count).transpose(0, 1);
    if (const auto n = prefix.length(s); n > 0) {
      const auto slot = prefix.slot(s);
      keys = at::cat({prefix.prefix->keys[slot].narrow(1, 0, n), keys}, 1);
      values =
          at::cat({prefix.prefix->values[slot].narrow(1, 0, n), values}, 1);
    }
    out[t].copy_(attend_aten(q[t], keys, values, scale));
  }
  return out;
}

}  // namespace

at::Tensor decode_attention(
    const at::Tensor& q,
    const at::Tensor& keys,
    const at::Tensor& values,
    const at::Tensor& slots,
    const at::Tensor& lengths,
    double scale,
    const std::optional<ScoreBias>& bias) {
  const at::NoGradGuard no_grad;
  check_heads(q, keys, 1);
  if (!q.device().is_cpu()) {
    return decode_attention_batched(
        q, keys, values, slots, lengths, scale, bias);
  }
  const auto slot_rows = local_indices(slots, "slots");
  const auto length_rows = local_indices(lengths, "lengths");
  if (slot_rows.size(0) != q.size(0) || length_rows.size(0) != q.size(0) ||
      keys.sizes() != values.sizes()) {
    throw_caller_error(
        "decode_attention: {} rows, {} slots, {} lengths; give one of each "
        "per row, and keys and values of one shape",
        q.size(0),
        slot_rows.size(0),
        length_rows.size(0));
  }
  const auto* slot = slot_rows.const_data_ptr<std::int64_t>();
  const auto* length = length_rows.const_data_ptr<std::int64_t>();
  std::int64_t longest = 0, total = 0;
  for (std::int64_t row = 0; row < q.size(0); ++row) {
    check_range(row, slot[row], length[row], 1, keys);
    longest = std::max(longest, length[row]);
    total += length[row];
  }
  const auto own_bias = local_bias(q, bias, longest);
  const bool fast = has_float_rows(q) && has_float_rows(keys) &&
                    has_float_rows(values) &&
                    (!bias || has_float_rows(own_bias.values));
  if (!fast) return decode_aten(q, keys, values, slot, length, scale, own_bias);
  const auto average = total / std::max<std::int64_t>(1, q.size(0));
  return attend_rows(
      q,
      keys.size(1),
      scale,
      own_bias,
      longest,
      average,
      [&](auto row, auto head, auto& runs) {
        runs[0] = buffer_entries(keys, values, slot[row], head, length[row]);
      });
}

at::Tensor prefill_attention(
    const at::Tensor& q,
    const at::Tensor& k,
    const at::Tensor& v,
    const at::Tensor& offsets,
    double scale,
    const std::optional<Prefix>& prefix) {
  const at::NoGradGuard no_grad;
  check_heads(q, k, 0);
  const auto local = local_indices(offsets, "offsets");
  if (k.size(0) != q.size(0) || k.sizes() != v.sizes()) {
    throw_caller_error(
        "prefill_attention: {} queries, {} keys, {} values; give as many",
        q.size(0),
        k.size(0),
        v.size(0));
  }
  const auto* offset = local.const_data_ptr<std::int64_t>();
  const auto sequence = token_sequences(local, q.size(0));
  const auto sequences = local.size(0) - 1;
  const auto older = local_prefix(q, prefix, sequences);
  if (!q.device().is_cpu() && !prefix) {
    return prefill_attention_batched(
        q, k, v, places_of_members(sequence), scale);
  }
  const bool fast =
      has_float_rows(q) && has_float_rows(k) && has_float_rows(v) &&
      (!prefix ||
       (has_float_rows(prefix->keys) && has_float_rows(prefix->values)));
  if (!fast) return prefill_aten(q, k, v, offset, sequence, scale, older);
  std::int64_t longest = 0;
  for (std::int64_t s = 0; s < sequences; ++s) {
    longest = std::max(longest, older.length(s) + offset[s + 1] - offset[s]);
  }
  return attend_rows(
      q,
      k.size(1),
      scale,
      LocalBias(),
      longest,
      longest / 2,
      [&](auto row, auto head, auto& runs) {
        const auto s = sequence[row];
        if (const auto n = older.length(s); n > 0) {
          runs[0] = buffer_entries(
              prefix->keys, prefix->values, older.slot(s), head, n);
        }
        runs[1] = {
            k.const_data_ptr<float>() + offset[s] * k.stride(0) +
                head * k.stride(1),
            v.const_data_ptr<float>() + offset[s] * v.stride(0) +
                head * v.stride(1),
            k.stride(0),
            v.stride(0),
            row + 1 - offset[s]};
      });
}

void store_tokens(
    at::Tensor& buffer,
    const at::Tensor& tokens,
    const at::Tensor& slots,
    const at::Tensor& positions) {
  const at::NoGradGuard no_grad;
  // [slots, max_len, kv_heads, d] seen through the same memory.
  auto by_position = buffer.transpose(1, 2);
  by_position.index_put_({slots, positions}, tokens.to(buffer.scalar_type()));
}

}  // namespace moft::kernels
