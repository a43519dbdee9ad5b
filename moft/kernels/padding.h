// Packed sequences laid out as attention over a whole batch reads them: padded
// on the right. Differentiable when gradient mode is on.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

namespace moft::kernels {

// Of packed tokens, the sequence that each belongs to and its place there.
struct TokenPlaces {
  std::vector<std::int64_t> sequence;
  std::vector<std::int64_t> place;
};

// Sequences of these lengths, one after the other.
TokenPlaces places_of_lengths(const std::vector<std::int64_t>& lengths);

// Tokens of `sequence[i]`, which may be in any order; a sequence's tokens stand
// in the order in which they come.
TokenPlaces places_of_members(std::vector<std::int64_t> sequence);

class Padding {
 public:
  // REQUIRES every sequence of `tokens` below `sequences`.
  Padding(const TokenPlaces& tokens, std::int64_t sequences, at::Device device);

  std::int64_t sequences() const { return sequences_; }
  std::int64_t longest() const { return longest_; }

  // [tokens, heads, size] -> [sequences, heads, longest, size], 0 elsewhere.
  at::Tensor spread(const at::Tensor& packed) const;
  // [sequences, heads, longest, size] -> [tokens, heads * size].
  at::Tensor gather(const at::Tensor& full) const;
  // Additive [sequences, 1, 1, longest]: 0 for tokens, -inf for padding.
  at::Tensor key_mask() const;

 private:
  at::Tensor places_;  // of each token in [sequences * longest]
  std::int64_t sequences_;
  std::int64_t longest_ = 0;
  bool full_;  // packed and padded are the same
};

}  // namespace moft::kernels
