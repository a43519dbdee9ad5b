// An optimizer's work divided over the processes that train together: who
// updates which elements, and how the others receive them.
//
// Every rank holds the gradient of all parameters, as summed over the ranks,
// and optimizer state for its own shards only. It updates those. Of parameters
// that every rank holds, the ranks exchange what they have updated; of others
// (TrainedTensor::part) each holds its shard alone. The bits are those of one
// process that updates everything.
//
// Thread safety: pure functions but for the exchange, one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "moft/algorithms/gradient.h"

namespace moft {

// Elements of a chunk: the clipped norm adds the sums over a tensor's chunks
// (clip.h), and shards begin and end at them.
inline constexpr std::int64_t kNormChunk = 1 << 15;

// The processes that train together, free of what joins them.
struct Ranks {
  int rank = 0;
  int size = 1;
  // The bytes of every rank, by rank. All ranks call it equally often; a
  // process alone never does.
  std::function<std::vector<std::string>(std::string_view)> gather = {};
};

// What may be divided: every element for itself, or only whole tensors, for an
// update that reads sums over a tensor.
enum class Division { kChunks, kTensors };

// Elements [begin, end) of a parameter, row-major, that one rank updates.
struct Shard {
  int rank = 0;
  std::size_t parameter = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;

  std::int64_t count() const { return end - begin; }
};

// True for float32 in row-major order on the CPU.
bool is_plain(const at::Tensor& tensor);

// Divides the parameters' elements over `ranks`, by rank and parameter: at most
// one shard of a parameter for a rank. Whole tensors, largest first, go to the
// rank that has least; chunks to the ranks in turn, each up to its even share.
// A master that is not plain stays whole: the rounding of its update may depend
// on where an element lies. Parameters that ranks hold in parts are left out.
std::vector<Shard> divide(
    const std::vector<TrainedTensor>& parameters, Division division, int ranks);

// Divides plain tensors of these sizes by chunks.
std::vector<Shard> divide(const std::vector<std::int64_t>& sizes, int ranks);

// The name of a shard in files: "<name>[<begin>:<end>]".
std::string shard_name(
    const std::string& name, std::int64_t begin, std::int64_t end);

// The shard's elements of `tensor`, which has the parameter's shape: the tensor
// itself for a whole one, else flat; shared with a plain tensor, copied from
// any other.
at::Tensor part_of(const at::Tensor& tensor, const Shard& shard);

// Every rank sends the elements of its shards and receives those of the others
// into the masters. `shards` as from divide(), or some of them, the same on all
// ranks. WorldError when a rank sends another number of elements.
void exchange_shards(
    const std::vector<TrainedTensor>& parameters,
    const std::vector<Shard>& shards,
    const Ranks& ranks);

}  // namespace moft
