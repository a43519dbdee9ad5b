// Keys and values in pages, and the queries that read them.
//
// Entry j of a sequence's slot lies in page table[slot, j / page_size] at place
// j % page_size. Slots may share pages. The shapes are those of flash
// attention with a block table.
#pragma once

#include <cstdint>

#include <ATen/ATen.h>

namespace moft::kernels {

struct KeyValuePages {
  // float32 [pages, page_size, kv_heads, d]; any strides but the last.
  at::Tensor keys;
  at::Tensor values;
  at::Tensor table;  // int32 [slots, pages per slot], on the keys' device
};

// Packed ragged queries: sequence s asks with tokens offsets[s] ..
// offsets[s + 1], which are the last ones of its `lengths[s]` entries.
struct PagedQueries {
  at::Tensor slots;    // int64 [sequences]
  at::Tensor lengths;  // int64 [sequences], on the keys' device as the slots
  // int64 [sequences + 1], on the CPU, rising from 0; undefined: one query of
  // each sequence.
  at::Tensor offsets;
  std::int64_t longest = 0;  // no length exceeds it
};

// What is added to the scores before the softmax (relative positions). A
// table's last number belongs to the query's own entry:
//   s_j = scale q.k_j + values[tables[row], head, size - length + j]
// One query per sequence only.
struct ScoreBias {
  at::Tensor values;  // float32 [tables, heads, size >= longest row]
  at::Tensor tables;  // int64 [rows]; undefined: every row reads table 0
};

}  // namespace moft::kernels
