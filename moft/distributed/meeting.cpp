// The questions and answers by which ranks find the same start.
#include "moft/distributed/meeting.h"

#include <map>
#include <set>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/distributed/stopped_waiting.h"

namespace moft {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPoll{20};
constexpr char kStart[] = "start";

std::string key_of(std::string_view what, int rank) {
  return fmt::format("{}/{}", what, rank);
}

std::set<int> ranks_from(int first, int size) {
  std::set<int> ranks;
  for (int rank = first; rank < size; ++rank)
    ranks.insert(ranks.end(), rank);
  return ranks;
}

// Differs between the starts of a rank.
std::string own_word(int rank) {
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  return fmt::format("{}-{}-{}", rank, ::getpid(), now);
}

void write_own(
    const KeyStore& store,
    const std::string& start,
    int rank,
    const std::string& text) {
  store.set(key_of(start + "/join", rank), text);
}

void pause(const MeetingOptions& options) {
  if (options.stop_requested && options.stop_requested()) {
    throw StoppedWaiting(fmt::format(
        "rank {}: was stopped while it waited for the other ranks",
        options.rank));
  }
  std::this_thread::sleep_for(kPoll);
}

std::string lead(
    const KeyStore& store,
    const std::string& text,
    const MeetingOptions& options,
    Clock::time_point deadline) {
  std::string name = own_word(0);
  write_own(store, name, 0, text);
  store.set(kStart, name);
  std::set<int> expected = ranks_from(1, options.size);
  while (true) {
    std::erase_if(expected, [&](int rank) {
      const std::string said = store.find(key_of("hello", rank));
      if (!said.starts_with(name + " ")) return false;
      store.set(key_of("answer", rank), said);
      return true;
    });
    if (expected.empty() || Clock::now() >= deadline) return name;
    pause(options);
  }
}

std::string follow(
    const KeyStore& store,
    const std::string& text,
    const MeetingOptions& options,
    Clock::time_point deadline) {
  const int rank = options.rank;
  const std::string word = own_word(rank);
  std::string said;
  while (true) {
    const std::string name = store.find(kStart);
    const std::string hello = name + " " + word;
    if (!name.empty() && hello != said) {
      write_own(store, name, rank, text);
      store.set(key_of("hello", rank), hello);
      said = hello;
    }
    if (!name.empty() && store.find(key_of("answer", rank)) == hello)
      return name;
    if (Clock::now() >= deadline) return "";
    pause(options);
  }
}

[[noreturn]] void throw_missing(
    const std::vector<std::string>& missing, const MeetingOptions& options) {
  const bool is_one = missing.size() == 1;
  throw_world_error(
      "rank {}: {} {} not joined within {:.0f} s; look at {} output and "
      "machine",
      options.rank,
      (is_one ? "rank " : "ranks ") + listed(missing),
      is_one ? "has" : "have",
      std::chrono::duration<double>(options.timeout).count(),
      is_one ? "its" : "their");
}

// Waits until every one of `ranks` has written `what`, and takes those out that
// have by the deadline. Returns what they wrote, by rank.
std::map<int, std::string> collect(
    const KeyStore& store,
    const std::string& what,
    std::set<int>& ranks,
    const MeetingOptions& options,
    Clock::time_point deadline) {
  std::map<int, std::string> found;
  while (true) {
    std::erase_if(ranks, [&](int rank) {
      std::string text = store.find(key_of(what, rank));
      return !text.empty() && found.emplace(rank, std::move(text)).second;
    });
    if (ranks.empty() || Clock::now() >= deadline) return found;
    pause(options);
  }
}

}  // namespace

std::string agree_on_start(
    const KeyStore& store,
    const std::string& text,
    const MeetingOptions& options,
    Clock::time_point deadline) {
  return options.rank == 0 ? lead(store, text, options, deadline)
                           : follow(store, text, options, deadline);
}

std::string meet(
    const KeyStore& store,
    const Handshake& handshake,
    const MeetingOptions& options) {
  const auto deadline = Clock::now() + options.timeout;
  const std::string start =
      agree_on_start(store, write_handshake(handshake), options, deadline);
  if (start.empty()) throw_missing({"0"}, options);
  std::set<int> missing = ranks_from(0, options.size);
  const auto texts =
      collect(store, start + "/join", missing, options, deadline);
  std::vector<Handshake> handshakes;
  std::set<int> there;
  for (const auto& [rank, text] : texts) {
    handshakes.push_back(read_handshake(text, fmt::format("rank {}", rank)));
    there.insert(rank);
  }
  // From then on the store may be gone.
  store.set(key_of(start + "/met", options.rank), "yes");
  if (options.stay > options.stay.zero())
    collect(store, start + "/met", there, options, Clock::now() + options.stay);
  if (!missing.empty()) {
    std::vector<std::string> names;
    for (int rank : missing)
      names.push_back(std::to_string(rank));
    throw_missing(names, options);
  }
  check_same(handshakes);
  return start;
}

}  // namespace moft
