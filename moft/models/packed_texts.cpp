// Texts one after the other, and attention inside each.
#include "moft/models/packed_texts.h"

#include "moft/core/errors.h"

namespace moft {

PackedTexts::PackedTexts(
    const std::vector<TokenIds>& texts,
    const std::vector<std::int64_t>& second,
    const ModelInfo& info) {
  for (std::size_t t = 0; t < texts.size(); ++t) {
    const std::int64_t length = std::ssize(texts[t]);
    if (length < 1 || length > info.context) {
      throw_caller_error(
          "[{}] a text has {} tokens; the model takes 1 to {}",
          info.family,
          length,
          info.context);
    }
    check_vocabulary(texts[t], info.vocabulary);
    const std::int64_t first = std::ssize(ids);
    lengths.push_back(length);
    if (!groups.empty() && groups.back().length == length) {
      ++groups.back().texts;
    } else {
      groups.push_back({first, 1, length});
    }
    const std::int64_t cut = second.empty() ? length : second.at(t);
    for (std::int64_t i = 0; i < length; ++i) {
      ids.push_back(texts[t][static_cast<std::size_t>(i)]);
      positions.push_back(i);
      segments.push_back(i < cut ? 0 : 1);
      text.push_back(static_cast<std::int64_t>(t));
    }
  }
}

at::Tensor attend_by_group(
    const at::Tensor& qkv,
    const PackedTexts& texts,
    std::int64_t heads,
    const AttendGroup& attend) {
  const std::int64_t width = qkv.size(1) / 3;
  const std::int64_t head = width / heads;
  at::Tensor out = at::empty({qkv.size(0), width}, qkv.options());
  for (const TextGroup& group : texts.groups) {
    const std::int64_t rows = group.texts * group.length;
    // [3, texts, heads, length, head]
    const at::Tensor parts =
        qkv.narrow(0, group.first, rows)
            .view({group.texts, group.length, 3, heads, head})
            .permute({2, 0, 3, 1, 4});
    const at::Tensor mixed = attend(parts[0], parts[1], parts[2]);
    out.narrow(0, group.first, rows)
        .view({group.texts, group.length, heads, head})
        .copy_(mixed.transpose(1, 2));
  }
  return out;
}

}  // namespace moft
