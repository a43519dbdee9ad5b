// Packs sums of gradients into few exchanges.
#include "moft/training/sum_gradients.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>

#include <ATen/core/grad_mode.h>

#include "moft/algorithms/staging.h"
#include "moft/distributed/bytes.h"

namespace moft {
namespace {

// Small tensors travel together, up to this many numbers.
constexpr std::int64_t kPacked = std::int64_t{4} << 20;

// What ranks have of each sum: its size, or none.
struct Sizes {
  std::vector<std::int64_t> of;  // [sums], -1: no slice has it

  static Sizes exchange(
      Group& group, const std::vector<GradientSlice>& slices) {
    std::vector<std::int64_t> own(slices.front().size(), -1);
    for (const GradientSlice& slice : slices) {
      TORCH_CHECK(slice.size() == own.size(), "[sum_gradients] unequal slices");
      for (std::size_t i = 0; i < own.size(); ++i)
        if (slice[i].defined()) own[i] = slice[i].numel();
    }
    BytesWriter writer;
    writer.list(own);
    Sizes sizes{own};
    for (const std::string& bytes : group.gather(writer.bytes())) {
      const auto other = BytesReader(bytes).list<std::vector<std::int64_t>>();
      TORCH_CHECK(
          other.size() == own.size(), "[sum_gradients] unequal gradients");
      for (std::size_t i = 0; i < own.size(); ++i) {
        if (other[i] < 0) continue;
        TORCH_CHECK(
            sizes.of[i] < 0 || sizes.of[i] == other[i],
            "[sum_gradients] unequal gradients");
        sizes.of[i] = other[i];
      }
    }
    return sizes;
  }
};

// Adding this leaves every number as it is, -0 too.
at::Tensor nothing(std::int64_t size) {
  return at::full({size}, -0.0F, at::kFloat);
}

class Exchange {
 public:
  Exchange(Group& group, std::vector<GradientSlice>& slices)
      : group_(group),
        slices_(slices),
        sizes_(Sizes::exchange(group, slices)) {}

  GradientSlice run() {
    GradientSlice sums(sizes_.of.size());
    for (std::size_t begin = 0; begin < sums.size();) {
      std::size_t end = begin;
      std::int64_t numbers = 0;
      do {
        numbers += std::max<std::int64_t>(sizes_.of[end], 0);
        ++end;
      } while (end < sums.size() && numbers + sizes_.of[end] <= kPacked);
      if (numbers > 0) sum(begin, end, numbers, sums);
      begin = end;
    }
    return sums;
  }

 private:
  // Adds sums [begin, end), which have `numbers` numbers in all.
  void sum(
      std::size_t begin,
      std::size_t end,
      std::int64_t numbers,
      GradientSlice& sums) {
    std::vector<at::Tensor> packed;
    std::vector<std::span<float>> parts;
    for (GradientSlice& slice : slices_) {
      packed.push_back(pack(slice, begin, end));
      parts.emplace_back(
          packed.back().mutable_data_ptr<float>(),
          static_cast<std::size_t>(numbers));
      // They are not needed any more.
      for (std::size_t i = begin; i < end; ++i)
        slice[i] = at::Tensor();
    }
    group_.sum(std::span<const std::span<float>>(parts));
    std::int64_t at = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const std::int64_t size = sizes_.of[i];
      if (size < 0) continue;
      sums[i] = packed.front().narrow(0, at, size);
      at += size;
    }
  }

  at::Tensor pack(
      const GradientSlice& slice, std::size_t begin, std::size_t end) const {
    std::vector<at::Tensor> flat;
    for (std::size_t i = begin; i < end; ++i) {
      if (sizes_.of[i] < 0) continue;
      flat.push_back(
          slice[i].defined()
              ? Staged::to_send(slice[i].detach()).numbers().reshape({-1})
              : nothing(sizes_.of[i]));
    }
    return flat.size() == 1 ? flat.front() : at::cat(flat);
  }

  Group& group_;
  std::vector<GradientSlice>& slices_;
  Sizes sizes_;
};

}  // namespace

GradientSlice sum_over_ranks(Group& group, std::vector<GradientSlice> slices) {
  const at::NoGradGuard no_gradient;
  return Exchange(group, slices).run();
}

}  // namespace moft
