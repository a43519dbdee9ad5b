// Beats as text, and the comparison that names a rank.
#include "moft/distributed/heartbeat.h"

#include <functional>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/json.h"
#include "moft/core/text.h"

namespace moft {
namespace {

using Ranks = std::vector<std::string>;

Ranks ranks_where(std::size_t size, const std::function<bool(int)>& holds) {
  Ranks ranks;
  for (int rank = 0; rank < static_cast<int>(size); ++rank) {
    if (holds(rank)) ranks.push_back(std::to_string(rank));
  }
  return ranks;
}

// "rank 2 has", "ranks 2 and 3 have".
std::string have(const Ranks& ranks) {
  return ranks.size() == 1 ? "rank " + ranks[0] + " has"
                           : "ranks " + listed(ranks) + " have";
}

bool is_silent(const Beat& before, const Beat& after) {
  return !after.left && before.count == after.count;
}

}  // namespace

std::string write_beat(const Beat& beat) {
  return dump_json(nlohmann::json{
      {"count", beat.count},
      {"turn", beat.turn},
      {"name", beat.name},
      {"left", beat.left},
      {"reason", beat.reason}});
}

Beat read_beat(std::string_view text) {
  try {
    const nlohmann::json json = parse_json(text, "beat");
    Beat beat;
    beat.count = json.at("count").get<std::int64_t>();
    beat.turn = json.at("turn").get<std::int64_t>();
    beat.name = json.at("name").get<std::string>();
    beat.left = json.at("left").get<bool>();
    beat.reason = json.at("reason").get<std::string>();
    return beat;
  } catch (const std::exception&) {
    return {};
  }
}

bool all_live(
    std::span<const Beat> before, std::span<const Beat> after, int self) {
  for (std::size_t rank = 0; rank < after.size(); ++rank) {
    if (static_cast<int>(rank) == self) continue;
    if (after[rank].left || is_silent(before[rank], after[rank])) return false;
  }
  return true;
}

std::string name_the_fault(
    std::span<const Beat> before,
    std::span<const Beat> after,
    int self,
    double seconds,
    const std::string& error) {
  const std::size_t size = after.size();
  const std::string where = fmt::format("rank {}", self);
  for (std::size_t rank = 0; rank < size; ++rank) {
    if (static_cast<int>(rank) != self && after[rank].left &&
        !after[rank].reason.empty())
      return after[rank].reason;
  }
  const Beat& own = after[static_cast<std::size_t>(self)];
  const std::string cure = "; look at its output and at its machine";
  const Ranks stopped = ranks_where(size, [&](int rank) {
    const auto i = static_cast<std::size_t>(rank);
    return rank != self && is_silent(before[i], after[i]);
  });
  if (!stopped.empty()) {
    return fmt::format(
        "{}: {} given no sign of life for {:.0f} s, at exchange {} ({}){}",
        where,
        have(stopped),
        seconds,
        own.turn,
        own.name,
        cure);
  }
  const Ranks left = ranks_where(size, [&](int rank) {
    return rank != self && after[static_cast<std::size_t>(rank)].left;
  });
  if (!left.empty()) {
    return fmt::format(
        "{}: {} left the group before exchange {} ({}){}",
        where,
        have(left),
        own.turn,
        own.name,
        cure);
  }
  const Ranks late = ranks_where(size, [&](int rank) {
    return after[static_cast<std::size_t>(rank)].turn < own.turn;
  });
  if (!late.empty()) {
    const Beat& first = after[static_cast<std::size_t>(std::stoi(late[0]))];
    return fmt::format(
        "{}: {} not come to exchange {} ({}) in time; the first of them is at "
        "exchange {} ({}){}",
        where,
        have(late),
        own.turn,
        own.name,
        first.turn,
        first.name,
        cure);
  }
  return fmt::format(
      "{}: exchange {} ({}) failed: {}; see the other ranks' output",
      where,
      own.turn,
      own.name,
      error);
}

}  // namespace moft
