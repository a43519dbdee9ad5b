// Texts one after the other, as encoders read them: nothing is ever padded, so
// a text pays for its own tokens only. Adjacent texts of equal length share
// their attention calls: sort by length where there are many.
//
// Letters: N tokens of all texts together.
// Thread safety: plain data, pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/ATen.h>

#include "moft/models/sequence_model.h"

namespace moft {

// Adjacent texts of one length: rows [first, first + texts * length).
struct TextGroup {
  std::int64_t first;
  std::int64_t texts;
  std::int64_t length;
};

struct PackedTexts {
  // `second`, if not empty, says where each text's second segment begins.
  // CallerError for an empty text, one longer than the model's context and ids
  // outside its vocabulary.
  PackedTexts(
      const std::vector<TokenIds>& texts,
      const std::vector<std::int64_t>& second,
      const ModelInfo& info);

  std::vector<std::int64_t> ids;        // [N]
  std::vector<std::int64_t> positions;  // [N], in their text
  std::vector<std::int64_t> segments;   // [N], 0 or 1
  std::vector<std::int64_t> text;       // [N], which one
  std::vector<std::int64_t> lengths;    // of each text
  std::vector<TextGroup> groups;
};

// q, k, v [texts, heads, length, head] -> the same shape.
using AttendGroup = std::function<at::Tensor(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v)>;

// qkv [N, 3 heads head] -> [N, heads head]: every text attends to itself alone.
at::Tensor attend_by_group(
    const at::Tensor& qkv,
    const PackedTexts& texts,
    std::int64_t heads,
    const AttendGroup& attend);

}  // namespace moft
