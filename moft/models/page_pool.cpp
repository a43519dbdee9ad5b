// Reference counts, growth and copies of pages.
#include "moft/models/page_pool.h"

#include <algorithm>
#include <limits>

namespace moft {
namespace {

// Page numbers are int32.
constexpr std::int64_t kMostPages = std::numeric_limits<PageId>::max();

}  // namespace

PagePool::PagePool(PageShape shape, std::int64_t limit, at::Device device)
    : shape_(shape), limit_(std::min(limit, kMostPages)), device_(device) {
  grow(0);
}

std::int64_t PagePool::available() const {
  return limit_ - std::ssize(owners_) + std::ssize(free_);
}

// Grows exactly to what is needed at first, by half as much later.
void PagePool::grow(std::int64_t pages) {
  const std::int64_t old = std::ssize(owners_);
  const std::int64_t wanted = std::min(limit_, std::max(pages, old + old / 2));
  const bool in_use = old > std::ssize(free_);
  const auto larger = [&](const at::Tensor& now) {
    // Heads outside entries, in memory.
    at::Tensor made =
        at::empty(
            {wanted, shape_.kv_heads, kPageSize, shape_.head_size},
            at::device(device_))
            .transpose(1, 2);
    if (in_use) made.narrow(0, 0, old).copy_(now);
    return made;
  };
  keys_.resize(static_cast<std::size_t>(shape_.layers));
  values_.resize(keys_.size());
  for (std::size_t layer = 0; layer < keys_.size(); ++layer) {
    keys_[layer] = larger(keys_[layer]);
    values_[layer] = larger(values_[layer]);
  }
  owners_.resize(static_cast<std::size_t>(wanted), 0);
  std::vector<PageId> fresh;
  for (std::int64_t page = wanted - 1; page >= old; --page)
    fresh.push_back(static_cast<PageId>(page));
  free_.insert(free_.begin(), fresh.begin(), fresh.end());
}

void PagePool::reserve(std::int64_t count) {
  const std::int64_t missing = count - std::ssize(free_);
  if (missing > 0) grow(std::ssize(owners_) + missing);
}

std::vector<PageId> PagePool::take(std::int64_t count) {
  reserve(count);
  const auto first = free_.end() - count;
  std::vector<PageId> pages(first, free_.end());
  free_.erase(first, free_.end());
  // Rising, so that neighbours in a row are neighbours in memory.
  std::reverse(pages.begin(), pages.end());
  for (const PageId page : pages)
    owners_[static_cast<std::size_t>(page)] = 1;
  return pages;
}

void PagePool::share(std::span<const PageId> pages) {
  for (const PageId page : pages)
    ++owners_[static_cast<std::size_t>(page)];
}

void PagePool::give_back(std::span<const PageId> pages) {
  for (const PageId page : pages) {
    if (--owners_[static_cast<std::size_t>(page)] == 0) free_.push_back(page);
  }
}

void PagePool::copy(
    const std::vector<std::int64_t>& from,
    const std::vector<std::int64_t>& to,
    std::int64_t entries) {
  if (from.empty()) return;
  const at::Tensor source = at::tensor(from, at::kLong).to(device_);
  const at::Tensor target = at::tensor(to, at::kLong).to(device_);
  for (const auto* side : {&keys_, &values_}) {
    for (const at::Tensor& all : *side) {
      const at::Tensor part = all.narrow(1, 0, entries);
      part.index_copy_(0, target, part.index_select(0, source));
    }
  }
}

const at::Tensor& PagePool::keys(std::int64_t layer) const {
  return keys_[static_cast<std::size_t>(layer)];
}

const at::Tensor& PagePool::values(std::int64_t layer) const {
  return values_[static_cast<std::size_t>(layer)];
}

}  // namespace moft
