// Divides parameters over ranks, and exchanges what was updated.
#include "moft/algorithms/shards.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <span>
#include <tuple>
#include <utility>

#include "moft/algorithms/staging.h"
#include "moft/core/errors.h"

namespace moft {
namespace {

// What all ranks together send at once, which bounds the memory of an exchange;
// and the least that is worth a rank's turn.
constexpr std::size_t kRoundBytes = std::size_t{32} << 20;
constexpr std::size_t kLeastBytes = std::size_t{256} << 10;

bool may_be_cut(const at::Tensor& master, Division division) {
  return division == Division::kChunks && master.numel() > 0 &&
         is_plain(master);
}

// Gives whole tensors away, largest first.
void give_tensors(
    const std::vector<TrainedTensor>& parameters,
    std::vector<std::size_t> whole,
    std::vector<std::int64_t>& load,
    std::vector<Shard>& shards) {
  const auto size = [&](std::size_t p) { return parameters[p].master.numel(); };
  std::stable_sort(whole.begin(), whole.end(), [&](auto a, auto b) {
    return size(a) > size(b);
  });
  for (const std::size_t p : whole) {
    const auto least = std::min_element(load.begin(), load.end());
    const auto rank = static_cast<int>(least - load.begin());
    shards.push_back({rank, p, 0, size(p)});
    *least += size(p);
  }
}

// Gives chunks of the tensors `cut` away in their order: to each rank what it
// lacks of `share`, in whole chunks; to the last all that is left.
void give_chunks(
    const std::vector<std::int64_t>& sizes,
    const std::vector<std::size_t>& cut,
    std::int64_t share,
    std::vector<std::int64_t>& load,
    std::vector<Shard>& shards) {
  std::size_t rank = 0;
  for (const std::size_t p : cut) {
    for (std::int64_t begin = 0; begin < sizes[p];) {
      while (rank + 1 < load.size() && load[rank] >= share)
        ++rank;
      std::int64_t count = sizes[p] - begin;
      if (rank + 1 < load.size()) {
        const std::int64_t lacks = share - load[rank];
        const std::int64_t chunks = (lacks + kNormChunk - 1) / kNormChunk;
        count = std::min(count, chunks * kNormChunk);
      }
      shards.push_back({static_cast<int>(rank), p, begin, begin + count});
      load[rank] += count;
      begin += count;
    }
  }
}

std::int64_t even_share(const std::vector<std::int64_t>& sizes, int ranks) {
  const auto all = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  return (all + ranks - 1) / ranks;
}

void sort_by_rank(std::vector<Shard>& shards) {
  std::sort(shards.begin(), shards.end(), [](const Shard& a, const Shard& b) {
    return std::tie(a.rank, a.parameter) < std::tie(b.rank, b.parameter);
  });
}

// The numbers that one rank sends, one after the other.
class Stream {
 public:
  void add(std::span<std::byte> bytes) {
    parts_.push_back(bytes);
    left_ += bytes.size();
  }
  std::size_t left() const { return left_; }

  // The next `count` bytes, at most, one run in memory after the other.
  template <class Use>
  void next(std::size_t count, Use use) {
    while (count > 0 && part_ < parts_.size()) {
      const std::span<std::byte> left = parts_[part_].subspan(offset_);
      const std::span<std::byte> run = left.first(std::min(count, left.size()));
      use(run);
      count -= run.size();
      left_ -= run.size();
      offset_ += run.size();
      if (offset_ < parts_[part_].size()) continue;
      ++part_;
      offset_ = 0;
    }
  }

 private:
  std::vector<std::span<std::byte>> parts_;
  std::size_t left_ = 0;    // bytes that next() has still to give
  std::size_t part_ = 0;    // where next() goes on
  std::size_t offset_ = 0;  // in it
};

// A shard's numbers as they travel. A master that is not plain is a shard.
Staged stage(const at::Tensor& master, const Shard& shard, const Ranks& ranks) {
  const at::Tensor part = is_plain(master) ? part_of(master, shard) : master;
  return shard.rank == ranks.rank ? Staged::to_send(part)
                                  : Staged::to_receive(part);
}

// One round: this rank's next `count` bytes to all others, theirs into place.
void exchange_round(
    std::vector<Stream>& streams, std::size_t count, const Ranks& ranks) {
  const auto self = static_cast<std::size_t>(ranks.rank);
  std::string own;
  own.reserve(std::min(count, streams[self].left()));
  streams[self].next(count, [&](std::span<std::byte> run) {
    own.append(reinterpret_cast<const char*>(run.data()), run.size());
  });
  const std::vector<std::string> all = ranks.gather(own);
  for (std::size_t r = 0; r < streams.size(); ++r) {
    if (r == self) continue;
    const std::size_t expected = std::min(count, streams[r].left());
    if (all.size() != streams.size() || all[r].size() != expected) {
      throw_world_error(
          "rank {} did not send the {} bytes of parameters that it has to "
          "update; start all ranks with one recipe",
          r,
          expected);
    }
    const char* bytes = all[r].data();
    streams[r].next(count, [&](std::span<std::byte> run) {
      std::memcpy(run.data(), bytes, run.size());
      bytes += run.size();
    });
  }
}

}  // namespace

bool is_plain(const at::Tensor& tensor) {
  return tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat &&
         tensor.is_contiguous();
}

std::vector<Shard> divide(
    const std::vector<TrainedTensor>& parameters,
    Division division,
    int ranks) {
  std::vector<std::size_t> whole, cut;
  std::vector<std::int64_t> sizes;
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const at::Tensor& master = parameters[p].master;
    sizes.push_back(parameters[p].part ? 0 : master.numel());
    if (parameters[p].part) continue;
    (may_be_cut(master, division) && ranks > 1 ? cut : whole).push_back(p);
  }
  std::vector<std::int64_t> load(static_cast<std::size_t>(ranks), 0);
  std::vector<Shard> shards;
  give_tensors(parameters, std::move(whole), load, shards);
  give_chunks(sizes, cut, even_share(sizes, ranks), load, shards);
  sort_by_rank(shards);
  return shards;
}

std::vector<Shard> divide(const std::vector<std::int64_t>& sizes, int ranks) {
  std::vector<std::size_t> all(sizes.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  std::vector<std::int64_t> load(static_cast<std::size_t>(ranks), 0);
  std::vector<Shard> shards;
  give_chunks(sizes, all, even_share(sizes, ranks), load, shards);
  sort_by_rank(shards);
  return shards;
}

std::string shard_name(
    const std::string& name, std::int64_t begin, std::int64_t end) {
  return fmt::format("{}[{}:{}]", name, begin, end);
}

at::Tensor part_of(const at::Tensor& tensor, const Shard& shard) {
  if (shard.count() == tensor.numel()) return tensor;
  const at::Tensor plain =
      is_plain(tensor) ? tensor : tensor.to(at::kCPU, at::kFloat).contiguous();
  return plain.view(-1).narrow(0, shard.begin, shard.count());
}

void exchange_shards(
    const std::vector<TrainedTensor>& parameters,
    const std::vector<Shard>& shards,
    const Ranks& ranks) {
  std::vector<Stream> streams(static_cast<std::size_t>(ranks.size));
  std::vector<Staged> travelling;
  for (const Shard& shard : shards) {
    travelling.push_back(
        stage(parameters[shard.parameter].master, shard, ranks));
    const at::Tensor& values = travelling.back().numbers();
    streams[static_cast<std::size_t>(shard.rank)].add(
        {static_cast<std::byte*>(values.mutable_data_ptr()), values.nbytes()});
  }
  std::size_t longest = 0;
  for (const Stream& stream : streams)
    longest = std::max(longest, stream.left());
  const std::size_t count = std::max(kLeastBytes, kRoundBytes / streams.size());
  for (std::size_t sent = 0; sent < longest; sent += count)
    exchange_round(streams, count, ranks);
  for (const Staged& staged : travelling)
    staged.put_back();
}

}  // namespace moft
