// Packed tokens to padded rows and back.
#include "moft/kernels/padding.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace moft::kernels {
namespace {

// Whether every place is taken and tokens are in the order of their places.
bool counts_up(const std::vector<std::int64_t>& places, std::int64_t all) {
  if (std::ssize(places) != all) return false;
  for (std::int64_t i = 0; i < all; ++i) {
    if (places[static_cast<std::size_t>(i)] != i) return false;
  }
  return true;
}

}  // namespace

TokenPlaces places_of_lengths(const std::vector<std::int64_t>& lengths) {
  TokenPlaces tokens;
  for (std::int64_t s = 0; s < std::ssize(lengths); ++s) {
    for (std::int64_t t = 0; t < lengths[static_cast<std::size_t>(s)]; ++t) {
      tokens.sequence.push_back(s);
      tokens.place.push_back(t);
    }
  }
  return tokens;
}

TokenPlaces places_of_members(std::vector<std::int64_t> sequence) {
  TokenPlaces tokens;
  std::vector<std::int64_t> lengths;
  for (const std::int64_t member : sequence) {
    const auto s = static_cast<std::size_t>(member);
    if (lengths.size() <= s) lengths.resize(s + 1, 0);
    tokens.place.push_back(lengths[s]++);
  }
  tokens.sequence = std::move(sequence);
  return tokens;
}

Padding::Padding(
    const TokenPlaces& tokens, std::int64_t sequences, at::Device device)
    : sequences_(sequences) {
  for (const std::int64_t place : tokens.place)
    longest_ = std::max(longest_, place + 1);
  std::vector<std::int64_t> padded;
  padded.reserve(tokens.place.size());
  for (std::size_t i = 0; i < tokens.place.size(); ++i)
    padded.push_back(tokens.sequence[i] * longest_ + tokens.place[i]);
  full_ = counts_up(padded, sequences_ * longest_);
  places_ = at::tensor(padded, at::kLong).to(device);
}

at::Tensor Padding::spread(const at::Tensor& packed) const {
  const std::int64_t heads = packed.size(1), size = packed.size(2);
  at::Tensor full = packed;
  if (!full_) {
    full = at::zeros({sequences_ * longest_, heads, size}, packed.options())
               .index_copy(0, places_, packed);
  }
  return full.view({sequences_, longest_, heads, size}).transpose(1, 2);
}

at::Tensor Padding::gather(const at::Tensor& full) const {
  const at::Tensor tokens =
      full.transpose(1, 2).reshape({sequences_ * longest_, -1});
  return full_ ? tokens : tokens.index_select(0, places_);
}

at::Tensor Padding::key_mask() const {
  constexpr float kBlocked = -std::numeric_limits<float>::infinity();
  return at::full(
             {sequences_ * longest_}, kBlocked, at::device(places_.device()))
      .index_fill_(0, places_, 0.0)
      .view({sequences_, 1, 1, longest_});
}

}  // namespace moft::kernels
