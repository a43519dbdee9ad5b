// Signs of life of the ranks, and whom they accuse when an exchange fails.
//
// Each rank posts a beat every second. A rank whose exchange failed looks at
// two sets of beats, some seconds apart, and names a rank that stopped posting,
// else one that has not come as far as it.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace moft {

struct Beat {
  // How many beats before this one. -1: none has come from this rank.
  std::int64_t count = -1;
  // How many exchanges the rank has begun, and what the last one is for.
  std::int64_t turn = 0;
  std::string name;
  // Whether the rank has left, and why; empty when it ended as it should.
  bool left = false;
  std::string reason;
};

std::string write_beat(const Beat& beat);
// A text that is not a beat gives one with count -1.
Beat read_beat(std::string_view text);

// Whether every rank but `self` has posted between the two, and none has left.
bool all_live(
    std::span<const Beat> before, std::span<const Beat> after, int self);

// One sentence that names the rank at fault, for rank `self` whose exchange
// failed: what `before` and `after` show, by rank, `seconds` apart. `error` is
// what the failed exchange said, for when the beats show nothing. In order: a
// rank that left with a reason (the reason is the sentence, when it names a
// rank); ranks that stopped; ranks that left; ranks at an earlier exchange.
std::string name_the_fault(
    std::span<const Beat> before,
    std::span<const Beat> after,
    int self,
    double seconds,
    const std::string& error);

}  // namespace moft
