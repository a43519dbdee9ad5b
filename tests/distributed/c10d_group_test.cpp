// Groups of real processes over gloo on this machine.
#include "moft/distributed/c10d_group.h"

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "moft/core/errors.h"
#include "moft/distributed/stopped_waiting.h"

#include "support.h"

namespace moft {
namespace {

using testing_ranks::local_launches;
using testing_ranks::Outcome;
using testing_ranks::RankProcess;
using testing_ranks::run_ranks;
using testing_ranks::start_ranks;

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

// Faults are found within a few of these.
constexpr milliseconds kBeat{250};

const Handshake kSame = {"build", "recipe", {{"data", "data"}}};

std::unique_ptr<Group> join(
    const Launch& launch, milliseconds timeout = seconds(60)) {
  return join_group(launch, kSame, {timeout, kBeat});
}

void expect_all(const std::vector<Outcome>& outcomes, const std::string& text) {
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.status, 0) << outcome.text;
    EXPECT_EQ(outcome.text, text);
  }
}

TEST(C10dGroup, OneProcessIsAGroupOfOne) {
  const auto group = join(Launch{});
  EXPECT_EQ(group->size(), 1);
  EXPECT_EQ(group->gather("x"), std::vector<std::string>{"x"});
}

TEST(C10dGroup, GathersByRankAndBroadcastsFromRank0) {
  const auto outcomes = run_ranks(3, [](const Launch& launch) {
    const auto group = join(launch);
    std::string text;
    // Rank 0 has nothing to say, and lengths differ.
    const std::string own(static_cast<std::size_t>(launch.rank), 'a');
    for (const std::string& part : group->gather(own))
      text += part + "|";
    for (const std::string& part : group->gather(""))
      text += part + "|";
    text += group->broadcast(launch.rank == 0 ? "zero" : "another text");
    return text + group->broadcast("");
  });
  expect_all(outcomes, "|a|aa||||zero");
}

TEST(C10dGroup, AgreesWhenAnyRankDoes) {
  const auto outcomes = run_ranks(2, [](const Launch& launch) {
    const auto group = join(launch);
    std::string text;
    text += group->agree(false) ? "1" : "0";
    text += group->agree(launch.rank == 1) ? "1" : "0";
    text += group->agree(launch.rank == 0) ? "1" : "0";
    return text + (group->agree(true) ? "1" : "0");
  });
  expect_all(outcomes, "0111");
}

// Numbers whose sum depends on its order, the same for one rank and part
// wherever they are made.
template <typename T>
std::vector<T> numbers(std::size_t length, int part) {
  std::vector<T> data(length);
  std::uint64_t state = 12'345 + static_cast<std::uint64_t>(part);
  for (T& value : data) {
    state = state * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
    value = static_cast<T>(static_cast<std::int64_t>(state)) *
            static_cast<T>(1e-12);
  }
  return data;
}

// One process that adds all parts in turn.
template <typename T>
std::vector<T> sum_in_turn(std::size_t length, int parts) {
  std::vector<T> total = numbers<T>(length, 0);
  for (int part = 1; part < parts; ++part) {
    const std::vector<T> more = numbers<T>(length, part);
    for (std::size_t i = 0; i < length; ++i)
      total[i] += more[i];
  }
  return total;
}

// "" when the group's sum has the bits of one process.
template <typename T>
std::string check_sum(Group& group, std::size_t length, int parts) {
  std::vector<std::vector<T>> data;
  std::vector<std::span<T>> spans;
  for (int part = 0; part < parts; ++part)
    data.push_back(numbers<T>(length, group.rank() * parts + part));
  for (std::vector<T>& part : data)
    spans.emplace_back(part);
  group.sum(std::span<const std::span<T>>(spans));
  const auto expected = sum_in_turn<T>(length, group.size() * parts);
  if (length == 0 ||
      std::memcmp(data[0].data(), expected.data(), length * sizeof(T)) == 0)
    return "";
  return fmt::format("{} numbers in {} parts differ; ", length, parts);
}

// Whether somebody listens there.
bool answers(const char* address, std::uint16_t port) {
  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_port = htons(port);
  ::inet_pton(AF_INET, address, &target.sin_addr);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int result =
      ::connect(socket, reinterpret_cast<sockaddr*>(&target), sizeof target);
  ::close(socket);
  return result == 0;
}

TEST(C10dGroup, TheStoreListensOnTheMastersAddressOnly) {
  const auto outcomes = run_ranks(2, [](const Launch& launch) {
    const auto group = join(launch);
    group->barrier("listening");
    const std::uint16_t port = launch.master_port;
    return fmt::format(
        "{} {}", answers("127.0.0.1", port), answers("127.0.0.2", port));
  });
  expect_all(outcomes, "true false");
}

class Sums : public testing::TestWithParam<int> {};

TEST_P(Sums, HaveTheBitsOfOneProcess) {
  const auto outcomes = run_ranks(GetParam(), [](const Launch& launch) {
    const auto group = join(launch);
    std::string text;
    for (const std::size_t length : {0, 1, 2, 5, 1000, 100'003}) {
      text += check_sum<float>(*group, length, 1);
      text += check_sum<float>(*group, length, 3);
      text += check_sum<double>(*group, length, 2);
    }
    return text;
  });
  expect_all(outcomes, "");
}

INSTANTIATE_TEST_SUITE_P(Ranks, Sums, testing::Values(2, 3, 4));

// Longer than a piece on its way (32 MiB), with a last piece that is short.
TEST(C10dGroup, SumsInPieces) {
  const auto outcomes = run_ranks(2, [](const Launch& launch) {
    const auto group = join(launch);
    return check_sum<double>(*group, (std::size_t{5} << 20) + 7, 1);
  });
  expect_all(outcomes, "");
}

TEST(C10dGroup, ABarrierSaysWhoCameLast) {
  const auto outcomes = run_ranks(3, [](const Launch& launch) {
    const auto group = join(launch);
    group->barrier("start");
    if (launch.rank == 1) std::this_thread::sleep_for(milliseconds(700));
    const BarrierWait wait = group->barrier("step 1");
    const bool waited = wait.seconds > 0.3;
    return fmt::format("{} {}", wait.last_rank, waited != (launch.rank == 1));
  });
  expect_all(outcomes, "1 true");
}

TEST(C10dGroup, NamesWhatDiffersBeforeAnythingElse) {
  const auto outcomes = run_ranks(3, [](const Launch& launch) -> std::string {
    Handshake own = kSame;
    if (launch.rank == 2) own.inputs["data"] = "other";
    join_group(launch, own, {seconds(60), kBeat});
    return "joined";
  });
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(
        outcome.text,
        "rank 2: data 'other' differs from rank 0's 'data'; give every machine "
        "a copy of the same files");
  }
}

TEST(C10dGroup, NamesWhoHasNotJoined) {
  auto launches = local_launches(3);
  launches.erase(launches.begin() + 1);
  auto processes = start_ranks(launches, [](const Launch& launch) {
    join(launch, seconds(1));
    return std::string("joined");
  });
  for (RankProcess& process : processes) {
    const Outcome outcome = process.finish();
    EXPECT_EQ(outcome.status, 1);
    EXPECT_NE(
        outcome.text.find("rank 1 has not joined within 1 s"),
        std::string::npos)
        << outcome.text;
  }
}

TEST(C10dGroup, SaysThatNobodyOpenedTheStore) {
  auto launches = local_launches(2);
  launches.erase(launches.begin());
  auto processes = start_ranks(launches, [](const Launch& launch) {
    join(launch, seconds(1));
    return std::string("joined");
  });
  const Outcome outcome = processes[0].finish();
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.text.find("rank 0"), std::string::npos) << outcome.text;
}

// Rank `victim` of three does `fault` after a first exchange; the others must
// end in time and name it.
void expect_named(
    int victim, const std::function<void()>& fault, const std::string& words) {
  const auto begin = Clock::now();
  auto processes =
      start_ranks(local_launches(3), [victim, &fault](const Launch& launch) {
        const auto group = join(launch, seconds(3));
        group->barrier("start");
        if (launch.rank == victim) fault();
        group->agree(false);
        return std::string("agreed");
      });
  for (int rank = 0; rank < 3; ++rank) {
    if (rank == victim) continue;
    const Outcome outcome = processes[static_cast<std::size_t>(rank)].finish();
    EXPECT_EQ(outcome.status, 1) << rank;
    EXPECT_NE(outcome.text.find(words), std::string::npos) << outcome.text;
  }
  EXPECT_LT(Clock::now() - begin, seconds(60));
}

TEST(C10dGroupFaults, ADeadRankIsNamed) {
  expect_named(
      2, [] { std::raise(SIGKILL); }, "rank 2 has given no sign");
}

TEST(C10dGroupFaults, AStoppedRankIsNamed) {
  expect_named(
      1, [] { std::raise(SIGSTOP); }, "rank 1 has given no sign");
}

// Its beats come, its thread does not.
TEST(C10dGroupFaults, ALateRankIsNamed) {
  expect_named(
      1,
      [] { std::this_thread::sleep_for(seconds(30)); },
      "rank 1 has not come to exchange");
}

TEST(C10dGroupFaults, ARankThatEndsWithAnErrorIsNamed) {
  expect_named(
      1,
      [] { throw WorldError("disk full"); },
      "rank 1 has left the group before exchange");
}

TEST(C10dGroupFaults, TheRankWithTheStoreIsNamed) {
  expect_named(
      0, [] { std::raise(SIGKILL); }, "rank 0, with the store,");
}

// Nobody waits for it, although it has the store.
TEST(C10dGroupFaults, AnErrorOfTheRankWithTheStoreIsNamedSoon) {
  const auto begin = Clock::now();
  auto processes = start_ranks(local_launches(3), [](const Launch& launch) {
    const auto group = join(launch);
    group->barrier("start");
    if (launch.rank == 0) throw WorldError("disk full");
    group->agree(false);
    return std::string("agreed");
  });
  // It has left, or its store is gone already.
  const std::string words[] = {"disk full", "rank 0", "rank 0"};
  for (std::size_t rank = 0; rank < processes.size(); ++rank) {
    const Outcome outcome = processes[rank].finish();
    EXPECT_EQ(outcome.status, 1);
    EXPECT_NE(outcome.text.find(words[rank]), std::string::npos)
        << outcome.text;
  }
  EXPECT_LT(Clock::now() - begin, seconds(30));  // join()'s timeout is 60 s
}

TEST(C10dGroupFaults, ABrokenGroupStaysBroken) {
  auto processes = start_ranks(local_launches(2), [](const Launch& launch) {
    const auto group = join(launch, seconds(3));
    group->barrier("connected");
    if (launch.rank == 1) ::raise(SIGKILL);
    try {
      group->barrier("start");
    } catch (const WorldError&) {
      group->barrier("again");
    }
    return std::string("passed");
  });
  const Outcome outcome = processes[0].finish();
  EXPECT_NE(outcome.text.find("the group has ended"), std::string::npos)
      << outcome.text;
}

// ---- stops ------------------------------------------------------------------

// A group that is asked to stop once `asked` is set.
std::unique_ptr<Group> join_to_stop(
    const Launch& launch, const bool& asked, milliseconds stop_wait) {
  JoinOptions options{seconds(100), kBeat};
  options.stop_requested = [&asked] { return asked; };
  options.stop_wait = stop_wait;
  return join_group(launch, kSame, options);
}

// What each rank of three says when `victim` stops (SIGSTOP) and the others are
// asked to.
void expect_early_end(int victim, const std::string& words) {
  const auto begin = Clock::now();
  auto processes =
      start_ranks(local_launches(3), [victim](const Launch& launch) {
        bool asked = false;
        const auto group = join_to_stop(launch, asked, seconds(2));
        group->barrier("start");
        asked = true;
        if (launch.rank == victim) std::raise(SIGSTOP);
        try {
          group->barrier("step");
        } catch (const StoppedWaiting& error) {
          return std::string("stopped: ") + error.what();
        }
        return std::string("passed");
      });
  for (int rank = 0; rank < 3; ++rank) {
    if (rank == victim) continue;
    const Outcome outcome = processes[static_cast<std::size_t>(rank)].finish();
    EXPECT_EQ(outcome.status, 0) << outcome.text;
    EXPECT_TRUE(outcome.text.starts_with("stopped: ")) << outcome.text;
    EXPECT_NE(outcome.text.find(words), std::string::npos) << outcome.text;
  }
  EXPECT_LT(Clock::now() - begin, seconds(40));  // the timeout is 100 s
}

TEST(C10dGroupStops, DoNotWaitForARankThatHangs) {
  expect_early_end(1, "rank 1 has given no sign of life");
}

TEST(C10dGroupStops, DoNotWaitForTheRankWithTheStore) {
  expect_early_end(0, "rank 0, with the store, does not answer");
}

// In every kind of exchange.
TEST(C10dGroupStops, LeaveEveryExchange) {
  const std::vector<std::function<void(Group&)>> exchanges = {
      [](Group& group) { group.gather("a"); },
      [](Group& group) { group.broadcast("b"); },
      [](Group& group) {
        std::vector<float> numbers(1000);
        group.sum(std::span<float>(numbers));
      }};
  for (const auto& exchange : exchanges) {
    auto processes =
        start_ranks(local_launches(2), [&exchange](const Launch& launch) {
          bool asked = false;
          const auto group = join_to_stop(launch, asked, seconds(0));
          group->barrier("start");
          asked = launch.rank == 1;
          if (launch.rank == 0) std::raise(SIGSTOP);
          try {
            exchange(*group);
          } catch (const StoppedWaiting&) {
            return std::string("stopped");
          }
          return std::string("passed");
        });
    EXPECT_EQ(processes[1].finish().text, "stopped");
  }
}

// A step of 2.5 s; rank 1 comes later than `stop_wait`, and sooner than a step.
TEST(C10dGroupStops, WaitForALiveRankAsLongAsAStep) {
  const auto outcomes = run_ranks(2, [](const Launch& launch) {
    bool asked = false;
    const auto group = join_to_stop(launch, asked, seconds(0));
    group->agree(false);
    std::this_thread::sleep_for(milliseconds(2500));
    group->agree(false);
    asked = launch.rank == 0;
    if (launch.rank == 1) std::this_thread::sleep_for(milliseconds(1200));
    group->barrier("completions");
    return std::string(group->agree(asked) ? "together" : "on");
  });
  expect_all(outcomes, "together");
}

// A rank that saves or publishes may take longer than a step.
TEST(C10dGroupStops, WaitForALiveRankOutsideOfSteps) {
  const auto outcomes = run_ranks(2, [](const Launch& launch) {
    bool asked = false;
    const auto group = join_to_stop(launch, asked, seconds(0));
    group->agree(false);
    group->agree(false);
    asked = true;
    if (launch.rank == 0) std::this_thread::sleep_for(milliseconds(2500));
    return group->broadcast("published");
  });
  expect_all(outcomes, "published");
}

TEST(C10dGroupStops, NameALiveRankThatTakesLongerThanAStep) {
  auto processes = start_ranks(local_launches(2), [](const Launch& launch) {
    bool asked = false;
    const auto group = join_to_stop(launch, asked, seconds(0));
    group->agree(false);
    group->agree(false);
    asked = launch.rank == 0;
    if (launch.rank == 1) std::this_thread::sleep_for(seconds(60));
    group->barrier("completions");
    return std::string("passed");
  });
  const Outcome outcome = processes[0].finish();
  EXPECT_NE(
      outcome.text.find("rank 1 has not come to exchange 4 (completions)"),
      std::string::npos)
      << outcome.text;
}

TEST(C10dGroupStops, DoNotWaitForTheStore) {
  auto launches = local_launches(2);
  launches.erase(launches.begin());
  auto processes = start_ranks(launches, [](const Launch& launch) {
    const bool asked = true;
    join_to_stop(launch, asked, seconds(20));
    return std::string("joined");
  });
  EXPECT_EQ(
      processes[0].finish().text,
      "rank 1: was stopped while it waited for the store of rank 0");
}

}  // namespace
}  // namespace moft
