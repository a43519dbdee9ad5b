// A permutation per epoch, from the seed and the epoch alone.
#include "moft/data/shuffler.h"

#include <limits>
#include <numeric>
#include <utility>

#include "moft/core/errors.h"
#include "moft/core/random.h"

namespace moft {

Shuffler::Shuffler(std::uint64_t seed, std::size_t count, ExampleOrder order)
    : seed_(seed), kind_(order), order_(count) {
  if (count == 0) {
    throw_caller_error("data: no examples to draw from; give at least one");
  }
  shuffle();
}

// Fisher-Yates from the identity, so that an epoch's order needs no history.
void Shuffler::shuffle() {
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  if (kind_ == ExampleOrder::kFile) return;
  RandomStream random(seed_, Purpose::kShuffle, cursor_.epoch);
  for (std::size_t i = order_.size(); i > 1; --i) {
    std::swap(order_[i - 1], order_[random.below(i)]);
  }
}

std::size_t Shuffler::next() {
  if (cursor_.position == order_.size()) {
    if (cursor_.epoch == std::numeric_limits<std::uint32_t>::max()) {
      throw_caller_error(
          "data: epoch {} is the last that can be counted; train for fewer "
          "epochs",
          cursor_.epoch);
    }
    cursor_ = {cursor_.epoch + 1, 0};
    shuffle();
  }
  return order_[cursor_.position++];
}

std::vector<std::size_t> Shuffler::next(std::size_t n) {
  std::vector<std::size_t> indices(n);
  for (std::size_t& index : indices)
    index = next();
  return indices;
}

void Shuffler::seek(const ShuffleCursor& cursor) {
  if (cursor.position > order_.size()) {
    throw_caller_error(
        "data: the saved position {} lies beyond the {} examples read now; "
        "resume with the data the run was started with",
        cursor.position,
        order_.size());
  }
  cursor_ = cursor;
  shuffle();
}

}  // namespace moft
