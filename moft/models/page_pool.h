// The memory of keys and values: pages that rows share by reference count.
//
// A page holds kPageSize entries of every layer. Per layer, keys and values are
// [pages, kPageSize, kv_heads, head_size] float32; within a page a head's
// entries are contiguous, as the CPU's kernel reads them. The pool grows when
// pages are taken, up to a limit; a page that nobody owns is used again.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/ATen.h>

namespace moft {

constexpr std::int64_t kPageSize = 64;

constexpr std::int64_t pages_of(std::int64_t entries) {
  return (entries + kPageSize - 1) / kPageSize;
}

using PageId = std::int32_t;

struct PageShape {
  std::int64_t layers = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_size = 0;
};

class PagePool {
 public:
  PagePool(PageShape shape, std::int64_t limit, at::Device device);

  // Pages that can still be taken.
  std::int64_t available() const;
  // Makes room for this many at once. REQUIRES count <= available().
  void reserve(std::int64_t count);
  // REQUIRES count <= available(). The caller owns them.
  std::vector<PageId> take(std::int64_t count);
  // One more owner for each.
  void share(std::span<const PageId> pages);
  // One owner less for each.
  void give_back(std::span<const PageId> pages);

  // Copies the first `entries` entries of page from[i] to page to[i].
  void copy(
      const std::vector<std::int64_t>& from,
      const std::vector<std::int64_t>& to,
      std::int64_t entries);

  const at::Tensor& keys(std::int64_t layer) const;
  const at::Tensor& values(std::int64_t layer) const;

 private:
  void grow(std::int64_t pages);

  PageShape shape_;
  std::int64_t limit_;
  at::Device device_;
  std::vector<at::Tensor> keys_;  // per layer
  std::vector<at::Tensor> values_;
  std::vector<std::int32_t> owners_;  // of each page
  std::vector<PageId> free_;          // the next one last
};

}  // namespace moft
