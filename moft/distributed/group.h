// The processes that train together: what they exchange, and in which order.
//
// A group is made once for a process (c10d_group.h), after launch.h has said
// who started it. A process alone is a group of one, whose exchanges return
// what they were given (single_group.h).
//
// Every rank calls the same functions in the same order, with equal sizes where
// a function says so. What comes back is the same on every rank.
//
// Errors: WorldError that names the rank that stopped, left or is late, after
// the group's timeout at the latest; then the group is of no further use.
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moft {

// How long this rank waited at a barrier, and who came last.
struct BarrierWait {
  double seconds = 0;
  int last_rank = 0;
};

class Group {
 public:
  Group() = default;
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  virtual ~Group() = default;

  // 0 <= rank() < size(), both fixed.
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // The bytes of every rank, by rank. Lengths may differ.
  virtual std::vector<std::string> gather(std::string_view bytes) = 0;

  // The bytes of rank 0; those of others are not looked at.
  virtual std::string broadcast(std::string_view bytes) = 0;

  // parts[0] becomes the sum over all ranks and parts, added one by one in
  // the order rank 0's first part, rank 0's second, .., rank 1's first. So N
  // ranks with P consecutive parts each have the bits of one process that adds
  // N P parts in turn. All spans, on all ranks, have one length; their number
  // is equal too and at least 1. The contents of parts[1], .. are unspecified.
  virtual void sum(std::span<const std::span<float>> parts) = 0;
  virtual void sum(std::span<const std::span<double>> parts) = 0;

  // Waits for every rank. `name` says what for, in errors.
  virtual BarrierWait barrier(std::string_view name) = 0;

  // Whether `flag` is set on any rank.
  virtual bool agree(bool flag) = 0;

  // One part per rank.
  void sum(std::span<float> data) { sum(std::span(&data, 1)); }
  void sum(std::span<double> data) { sum(std::span(&data, 1)); }
};

}  // namespace moft
