// The order in which training sees its examples: a fresh permutation per
// epoch, drawn from (seed, kShuffle, epoch), so that the cursor alone says
// where training is and nothing else has to be saved.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <vector>

namespace moft {

// The whole state of a Shuffler. `position` examples of epoch `epoch` (counted
// from 0) have been handed out.
struct ShuffleCursor {
  std::uint32_t epoch = 0;
  std::uint64_t position = 0;

  bool operator==(const ShuffleCursor&) const = default;
};

enum class ExampleOrder {
  kShuffled,  // a fresh permutation in every epoch
  kFile,      // 0, 1, .. in every epoch
};

class Shuffler {
 public:
  // Throws CallerError when there is nothing to shuffle.
  Shuffler(
      std::uint64_t seed,
      std::size_t count,
      ExampleOrder order = ExampleOrder::kShuffled);

  // The next example's index in [0, count).
  std::size_t next();
  // The next `n`, running over into further epochs where needed.
  std::vector<std::size_t> next(std::size_t n);

  const ShuffleCursor& cursor() const { return cursor_; }
  // Continues from a saved cursor. Throws CallerError for a position beyond
  // the number of examples (the data changed since the checkpoint).
  void seek(const ShuffleCursor& cursor);

 private:
  void shuffle();

  std::uint64_t seed_;
  ExampleOrder kind_;
  ShuffleCursor cursor_;
  std::vector<std::size_t> order_;  // of epoch cursor_.epoch
};

}  // namespace moft
