#include "moft/distributed/meeting.h"

#include <future>
#include <map>
#include <mutex>
#include <vector>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

// A store in this process.
struct Keys {
  std::mutex mutex;
  std::map<std::string, std::string> values;

  KeyStore store() {
    return {
        [this](const std::string& key, const std::string& value) {
          const std::lock_guard lock(mutex);
          values[key] = value;
        },
        [this](const std::string& key) {
          const std::lock_guard lock(mutex);
          const auto found = values.find(key);
          return found == values.end() ? std::string() : found->second;
        }};
  }
};

std::future<std::string> begin(
    Keys& keys, int rank, int size, milliseconds patience) {
  return std::async(std::launch::async, [&keys, rank, size, patience] {
    return agree_on_start(
        keys.store(), "", {rank, size, {}, {}, {}}, Clock::now() + patience);
  });
}

TEST(Meeting, EveryRankHasTheSameNewName) {
  Keys keys;
  std::vector<std::string> names;
  for (int start = 0; start < 3; ++start) {
    // Rank 0 comes last, so the others first read the name before.
    std::vector<std::future<std::string>> ranks;
    for (int rank : {2, 1})
      ranks.push_back(begin(keys, rank, 3, seconds(60)));
    std::this_thread::sleep_for(milliseconds(50));
    ranks.push_back(begin(keys, 0, 3, seconds(60)));
    const std::string name = ranks.back().get();
    EXPECT_FALSE(name.empty());
    EXPECT_EQ(ranks[0].get(), name);
    EXPECT_EQ(ranks[1].get(), name);
    for (const std::string& earlier : names)
      EXPECT_NE(name, earlier);
    names.push_back(name);
  }
}

// All keys of a start that came as far as it could, then rank 1 alone.
TEST(Meeting, TheKeysOfADeadStartAreNotAnAnswer) {
  Keys keys;
  auto first = begin(keys, 0, 2, seconds(60));
  begin(keys, 1, 2, seconds(60)).get();
  first.get();
  EXPECT_EQ(begin(keys, 1, 2, milliseconds(100)).get(), "");
}

TEST(Meeting, Rank0DoesNotWaitLongerThanItsPatience) {
  Keys keys;
  EXPECT_FALSE(begin(keys, 0, 2, milliseconds(50)).get().empty());
}

// What meet() says on each rank that takes part.
std::vector<std::string> meet_with(
    Keys& keys, const std::vector<int>& ranks, int size, milliseconds timeout) {
  std::vector<std::future<std::string>> words;
  for (int rank : ranks) {
    words.push_back(std::async(std::launch::async, [=, &keys] {
      try {
        const Handshake own = {"b", "r", {}};
        meet(keys.store(), own, {rank, size, timeout, milliseconds(500), {}});
        return std::string("met");
      } catch (const WorldError& error) {
        return std::string(error.what());
      }
    }));
  }
  std::vector<std::string> all;
  for (auto& word : words)
    all.push_back(word.get());
  return all;
}

TEST(Meeting, NamesWhoHasNotComeAlthoughItCameBefore) {
  Keys keys;
  EXPECT_EQ(
      meet_with(keys, {2, 1, 0}, 3, seconds(60)),
      std::vector<std::string>(3, "met"));
  const auto words = meet_with(keys, {0, 2}, 3, milliseconds(300));
  EXPECT_TRUE(words[0].starts_with("rank 0: rank 1 has not joined"))
      << words[0];
  EXPECT_TRUE(words[1].starts_with("rank 2: rank 1 has not joined"))
      << words[1];
  const auto alone = meet_with(keys, {2}, 3, milliseconds(100));
  EXPECT_TRUE(alone[0].starts_with("rank 2: rank 0 has not joined"))
      << alone[0];
}

// Rank 0 may find a difference and end, and the store with it, as soon as the
// others have said that they met.
TEST(Meeting, OtherRanksReadNothingOnceTheyHaveMet) {
  Keys keys;
  const KeyStore store = keys.store();
  bool has_met = false;
  const KeyStore watched{
      [&](const std::string& key, const std::string& value) {
        has_met = has_met || key.find("/met") != std::string::npos;
        store.set(key, value);
      },
      [&](const std::string& key) {
        EXPECT_FALSE(has_met) << key;
        return store.find(key);
      }};
  auto first = std::async(std::launch::async, [&] {
    const Handshake other = {"another build", "r", {}};
    meet(store, other, {0, 2, seconds(60), seconds(60), {}});
  });
  EXPECT_THROW(
      meet(watched, {"b", "r", {}}, {1, 2, seconds(60), {}, {}}), CallerError);
  EXPECT_THROW(first.get(), CallerError);
  EXPECT_TRUE(has_met);
}

TEST(Meeting, ARankThatIsToStopDoesNotWait) {
  Keys keys;
  const auto asked = [] { return true; };
  for (int rank : {0, 1}) {
    EXPECT_THROW(
        meet(keys.store(), {}, {rank, 2, seconds(60), {}, asked}), WorldError);
  }
}

}  // namespace
}  // namespace moft
