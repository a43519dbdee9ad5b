// Tensors of a checkpoint, put together from the shards of however many ranks
// wrote them: moments of an optimizer, or masters.
//
// A tensor is stored whole, "<name>", or in shards, "<name>[<begin>:<end>]":
// its elements begin to end - 1, row-major, flat (shard_name() of shards.h).
//
// Thread safety: immutable after construction.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>

namespace moft {

class StoredMoments {
 public:
  // Shares the tensors. `what` they are, for errors. CallerError for shards
  // that are empty or not flat, or whose names do not say their size.
  explicit StoredMoments(
      const std::map<std::string, at::Tensor>& tensors,
      std::string what = "optimizer state");

  // Names without ranges.
  std::size_t size() const { return moments_.size(); }
  bool has(const std::string& name) const { return moments_.contains(name); }

  // The tensor `name`, not in shards. CallerError unless it is there with that
  // shape and type.
  at::Tensor whole(
      const std::string& name,
      at::IntArrayRef shape,
      at::ScalarType type) const;

  // CallerError unless the float32 tensor `name` is there as a whole with that
  // shape, or its shards have each of its elements once.
  void check(const std::string& name, at::IntArrayRef shape) const;

  // Fills `out`, a whole tensor or a flat part of it, with the elements from
  // `begin` on. REQUIRES check().
  void copy(const std::string& name, std::int64_t begin, at::Tensor& out) const;

 private:
  struct Piece {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    at::Tensor values;
    bool whole = false;
  };
  const std::vector<Piece>& pieces(const std::string& name) const;
  [[noreturn]] void refuse_shape(const std::string& name) const;

  std::string what_;
  std::map<std::string, std::vector<Piece>> moments_;  // by rising begin
};

}  // namespace moft
