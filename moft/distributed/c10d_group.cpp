// A group over c10d: TCPStore, ProcessGroupGloo, and a beat every second.
#include "moft/distributed/c10d_group.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

// The wheel is built with gloo; its headers ask for this.
#ifndef USE_C10D_GLOO
#define USE_C10D_GLOO
#endif
#include <ATen/ATen.h>
#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/distributed/heartbeat.h"
#include "moft/distributed/lay_out.h"
#include "moft/distributed/master_address.h"
#include "moft/distributed/meeting.h"
#include "moft/distributed/pulse.h"
#include "moft/distributed/single_group.h"
#include "moft/distributed/stop_patience.h"
#include "moft/distributed/stopped_waiting.h"

namespace moft {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using StorePtr = c10::intrusive_ptr<c10d::Store>;

// In beats: between the two looks at them; for an answer of the store; for
// others to leave,
constexpr int kLookBeats = 3;
constexpr int kStoreBeats = 5;
constexpr int kLeaveBeats = 10;
// and to read the error that a rank told them before it ended by it.
constexpr int kErrorBeats = 2;
// A sum travels in pieces, which bounds the memory it needs.
constexpr std::size_t kPieceBytes = std::size_t{32} << 20;

std::string words_of(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  const std::string text = torch_error != nullptr
                               ? torch_error->what_without_backtrace()
                               : error.what();
  return text.substr(0, text.find('\n'));
}

std::string rank_key(const char* what, int rank) {
  return fmt::format("{}/{}", what, rank);
}

bool opens_store(const Launch& launch) {
  return launch.rank == 0 && !launch.store_exists;
}

// Rank 0's own, on `master` alone, or the one that torchrun's agent opened.
StorePtr open_store(
    const Launch& launch,
    const std::string& master,
    const JoinOptions& options) {
  c10d::TCPStoreOptions store;
  store.port = launch.master_port;
  store.isServer = opens_store(launch);
  store.waitWorkers = false;
  store.timeout = options.timeout;
  if (store.isServer)
    store.masterListenFd = bind_listener(master, launch.master_port);
  const auto opened = std::make_shared<StorePtr>();
  const auto open = [opened,
                     store,
                     job = launch.job,
                     host =
                         launch.store_exists ? launch.master_address : master] {
    *opened = c10::make_intrusive<c10d::PrefixStore>(
        "moft/" + job, c10::make_intrusive<c10d::TCPStore>(host, store));
  };
  const StopPatience none(options.stop_requested, milliseconds::zero());
  try {
    if (none.run(open, [] { return false; })) return *opened;
  } catch (const std::exception& error) {
    throw_world_error(
        "rank {}: no store at {} port {} ({}); look at the output of {}",
        launch.rank,
        launch.master_address,
        launch.master_port,
        words_of(error),
        launch.store_exists ? "torchrun's agent" : "rank 0");
  }
  throw StoppedWaiting(fmt::format(
      "rank {}: was stopped while it waited for the store of rank 0",
      launch.rank));
}

std::vector<Beat> read_beats(c10d::Store& store, int size) {
  std::vector<Beat> beats;
  for (int rank = 0; rank < size; ++rank) {
    const std::string key = rank_key("beat", rank);
    beats.push_back(
        store.check({key}) ? read_beat(store.get_to_str(key)) : Beat{});
  }
  return beats;
}

Pulse::Post post_to(const StorePtr& store, int rank) {
  // A connection of its own: a store does one thing at a time.
  return [own = store->clone(), key = rank_key("beat", rank)](
             const std::string& beat) { own->set(key, beat); };
}

// An exchange that this rank, asked to stop, leaves before it has ended.
struct LeftEarly {};

template <typename T>
constexpr at::ScalarType kTypeOf =
    std::is_same_v<T, double> ? at::kDouble : at::kFloat;

class C10dGroup final : public Group {
 public:
  using Group::sum;

  C10dGroup(
      const Launch& launch,
      StorePtr store,
      const std::string& master,
      const JoinOptions& options)
      : launch_(launch),
        store_(std::move(store)),
        timeout_(options.timeout),
        beat_(options.beat),
        // Whether the others live, and whom to name, takes a look each.
        patience_(
            options.stop_requested,
            options.stop_wait - 2 * kLookBeats * options.beat) {
    pulse_ = std::make_unique<Pulse>(post_to(store_, rank()), beat_);
    connect(master);
  }

  ~C10dGroup() override { leave(""); }

  int rank() const override { return launch_.rank; }
  int size() const override { return launch_.size; }

  std::vector<std::string> gather(std::string_view bytes) override {
    return exchange("gather", [&] { return gather_bytes(bytes); });
  }

  std::string broadcast(std::string_view bytes) override {
    return exchange("broadcast", [&] {
      at::Tensor length =
          at::full({1}, static_cast<std::int64_t>(bytes.size()), at::kLong);
      broadcast_tensor(length);
      // gloo owns what it sends: this rank may leave first.
      const at::Tensor all =
          at::empty({length.item<std::int64_t>()}, at::kByte);
      if (all.numel() == 0) return std::string();
      if (rank() == 0)
        std::memcpy(all.mutable_data_ptr(), bytes.data(), bytes.size());
      broadcast_tensor(all);
      return std::string(
          static_cast<const char*>(all.const_data_ptr()),
          static_cast<std::size_t>(all.numel()));
    });
  }

  void sum(std::span<const std::span<float>> parts) override {
    exchange("sum", [&] { sum_parts(parts); });
  }
  void sum(std::span<const std::span<double>> parts) override {
    exchange("sum", [&] { sum_parts(parts); });
  }

  BarrierWait barrier(std::string_view name) override {
    return exchange(name, [&] {
      const auto begin = Clock::now();
      run_aside([gloo = gloo_, timeout = timeout_] {
        c10d::BarrierOptions options;
        options.timeout = timeout;
        gloo->monitoredBarrier(options, /*waitAllRanks=*/true);
      });
      const double own = duration<double>(Clock::now() - begin).count();
      const at::Tensor waits = gather_equal(at::full({1}, own, at::kDouble));
      // All are released together: who waited least came last.
      return BarrierWait{
          own, static_cast<int>(waits.argmin().item<std::int64_t>())};
    });
  }

  bool agree(bool flag) override {
    const bool any = exchange("agree", [&] {
      return gather_equal(at::full({1}, flag ? 1 : 0, at::kByte))
          .any()
          .item<bool>();
    });
    patience_.end_step();
    return any;
  }

 private:
  void connect(const std::string& master) {
    exchange("connect", [&] {
      using Gloo = c10d::ProcessGroupGloo;
      const char* interfaces = std::getenv("GLOO_SOCKET_IFNAME");
      c10::intrusive_ptr<Gloo::Options> options;
      if (interfaces != nullptr && *interfaces != '\0') {
        options = Gloo::Options::create_default(timeout_);
      } else {
        options = Gloo::Options::create(timeout_);
        options->devices.push_back(Gloo::createDeviceForHostname(
            local_address_towards(master, launch_.master_port)));
      }
      // A connection of its own: it waits there.
      const auto rendezvous =
          c10::make_intrusive<c10d::PrefixStore>("gloo", store_->clone());
      const auto connected = std::make_shared<c10::intrusive_ptr<Gloo>>();
      run_aside([connected, rendezvous, options, rank = rank(), size = size()] {
        *connected = c10::make_intrusive<Gloo>(rendezvous, rank, size, options);
      });
      gloo_ = *connected;
    });
  }

  // Runs what gloo does in the caller's thread. `task` owns what it uses.
  void run_aside(std::function<void()> task) {
    const auto live = [&] { return others_live(); };
    if (!patience_.run(std::move(task), live, patience_.longest_step()))
      throw LeftEarly();
  }

  // Waits for what gloo does in threads of its own.
  void finish(const c10::intrusive_ptr<c10d::Work>& work) {
    const auto ended = std::make_shared<std::promise<void>>();
    const std::future<void> end = ended->get_future();
    work->getFuture()->addCallback(
        [ended](c10::ivalue::Future&) { ended->set_value(); });
    if (!patience_.wait(end, [&] { return others_live(); })) throw LeftEarly();
    work->wait();
  }

  // Runs `work` as the next exchange; when it fails, finds who is at fault.
  template <typename Work>
  std::invoke_result_t<Work&> exchange(std::string_view name, Work work) {
    if (is_broken_) {
      throw_world_error(
          "rank {}: an exchange failed before, so the group has ended; start "
          "all ranks again",
          rank());
    }
    pulse_->begin(name);
    try {
      return work();
    } catch (const LeftEarly&) {
      leave_early();
    } catch (const std::exception& error) {
      fail(words_of(error));
    }
  }

  [[noreturn]] void fail(const std::string& error) {
    is_broken_ = true;
    const std::string fault = find_fault(error);
    leave(fault);
    if (patience_.asked()) throw StoppedWaiting(fault);
    throw WorldError(fault);
  }

  // The exchange goes on in threads of gloo's, which cannot be told to end: it
  // stays behind.
  [[noreturn]] void leave_early() {
    is_broken_ = true;
    (void)gloo_.release();
    const std::string fault = find_fault("it has not ended");
    leave(fault);
    throw StoppedWaiting(fault + "; asked to stop, this rank waits no longer");
  }

  // Looks at the beats for a while.
  bool others_live() const {
    const auto before = try_beats();
    if (!before) return false;
    std::this_thread::sleep_for(kLookBeats * beat_);
    const auto after = try_beats();
    return after && all_live(*before, *after, rank());
  }

  std::string find_fault(const std::string& error) {
    const auto look = [&] {
      auto beats = try_beats();
      if (beats) (*beats)[static_cast<std::size_t>(rank())] = pulse_->beat();
      return beats;
    };
    const auto before = look();
    const bool is_known =
        before &&
        std::any_of(before->begin(), before->end(), [](const Beat& beat) {
          return !beat.reason.empty();
        });
    if (before && !is_known) std::this_thread::sleep_for(kLookBeats * beat_);
    const auto after = before && !is_known ? look() : before;
    if (!after) {
      return fmt::format(
          "rank {}: {} does not answer, and exchange {} ({}) failed: {}; look "
          "at its output and at its machine",
          rank(),
          launch_.store_exists ? "torchrun's store" : "rank 0, with the store,",
          pulse_->beat().turn,
          pulse_->beat().name,
          error);
    }
    return name_the_fault(
        *before,
        *after,
        rank(),
        duration<double>(kLookBeats * beat_).count(),
        error);
  }

  // Nothing when the store does not answer.
  std::optional<std::vector<Beat>> try_beats() const {
    return answer_within(kStoreBeats * beat_, [store = store_, n = size()] {
      return read_beats(*store, n);
    });
  }

  // Tells the others, then closes the connections. In good order everybody
  // waits first: data that is on its way to a peer is lost when its sender's
  // sockets close. Others that wait for a rank that fails must learn it soon.
  // Whoever has the store keeps it for the others to read.
  void leave(const std::string& reason) {
    if (has_left_) return;
    has_left_ = true;
    pulse_->leave(reason);
    const bool fails = !reason.empty() || std::uncaught_exceptions() > 0;
    if (!fails) return see_others_leave(kLeaveBeats);
    if (reason.empty()) see_others_leave(kErrorBeats);
    gloo_.reset();
    if (opens_store(launch_)) see_others_leave(kLeaveBeats);
  }

  // Until those that still give signs of life have left, or for `beats`.
  void see_others_leave(int beats) const {
    const auto deadline = Clock::now() + beats * beat_;
    std::vector<Beat> last(static_cast<std::size_t>(size()));
    std::vector<Clock::time_point> changed(last.size(), Clock::now());
    for (bool waits = true; waits && Clock::now() < deadline;) {
      auto beats_now = try_beats();
      if (!beats_now) return;
      waits = false;
      for (std::size_t r = 0; r < last.size(); ++r) {
        const Beat& beat = (*beats_now)[r];
        if (beat.count != last[r].count) changed[r] = Clock::now();
        waits |= !beat.left && Clock::now() - changed[r] < kLookBeats * beat_;
      }
      last = std::move(*beats_now);
      std::this_thread::sleep_for(milliseconds(20));
    }
  }

  void broadcast_tensor(const at::Tensor& tensor) {
    std::vector<at::Tensor> tensors{tensor};
    finish(gloo_->broadcast(tensors));
  }

  // [n] on every rank to [size n], by rank. n >= 1.
  at::Tensor gather_equal(at::Tensor tensor) {
    at::Tensor all = at::empty({size() * tensor.numel()}, tensor.options());
    finish(gloo_->_allgather_base(all, tensor));
    return all;
  }

  std::vector<std::string> gather_bytes(std::string_view bytes) {
    const at::Tensor lengths = gather_equal(
        at::full({1}, static_cast<std::int64_t>(bytes.size()), at::kLong));
    const std::int64_t longest = lengths.max().item<std::int64_t>();
    std::vector<std::string> all(static_cast<std::size_t>(size()));
    if (longest == 0) return all;
    at::Tensor padded = at::zeros({longest}, at::kByte);
    if (!bytes.empty())
      std::memcpy(padded.data_ptr(), bytes.data(), bytes.size());
    const at::Tensor rows = gather_equal(padded);
    const char* row = static_cast<const char*>(rows.const_data_ptr());
    for (int r = 0; r < size(); ++r, row += longest) {
      all[static_cast<std::size_t>(r)].assign(
          row, static_cast<std::size_t>(lengths[r].item<std::int64_t>()));
    }
    return all;
  }

  // Each rank adds one chunk of everybody's parts, in order, and hands the
  // result to all.
  template <typename T>
  void sum_parts(std::span<const std::span<T>> parts) {
    const std::size_t length = parts[0].size();
    if (length == 0) return;
    const auto ranks = static_cast<std::size_t>(size());
    const std::size_t wanted = kPieceBytes / sizeof(T) / parts.size();
    const std::size_t piece = std::min(length, std::max(ranks, wanted));
    const std::size_t chunk = (piece + ranks - 1) / ranks;
    // [ranks, parts, chunk]
    at::Tensor sent = at::zeros(
        {static_cast<std::int64_t>(ranks * parts.size() * chunk)}, kTypeOf<T>);
    at::Tensor received = at::empty_like(sent);
    for (std::size_t begin = 0; begin < length; begin += ranks * chunk) {
      lay_out(parts, begin, chunk, ranks, sent.data_ptr<T>());
      std::vector<std::int64_t> equal;
      finish(gloo_->alltoall_base(received, sent, equal, equal));
      const at::Tensor rows =
          received.view({-1, static_cast<std::int64_t>(chunk)});
      const at::Tensor total = rows[0];
      for (std::int64_t row = 1; row < rows.size(0); ++row)
        total.add_(rows[row]);
      const at::Tensor all = gather_equal(total);
      const std::size_t count = std::min(ranks * chunk, length - begin);
      std::memcpy(
          parts[0].data() + begin, all.const_data_ptr(), count * sizeof(T));
    }
  }

  const Launch launch_;
  const StorePtr store_;
  const milliseconds timeout_;
  const milliseconds beat_;
  StopPatience patience_;
  std::unique_ptr<Pulse> pulse_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo_;
  bool is_broken_ = false;
  bool has_left_ = false;
};

KeyStore keys_of(const StorePtr& store) {
  return {
      [store](const std::string& key, const std::string& value) {
        store->set(key, value);
      },
      [store](const std::string& key) {
        return store->check({key}) ? store->get_to_str(key) : std::string();
      }};
}

// c10d writes stack traces to standard error for what is told in one sentence
// here, and writes to connections that the other side has closed.
void prepare_process() {
  if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr)
    FLAGS_caffe2_log_level = c10::GLOG_FATAL;
  struct sigaction before {};
  if (::sigaction(SIGPIPE, nullptr, &before) == 0 &&
      before.sa_handler == SIG_DFL)
    ::signal(SIGPIPE, SIG_IGN);
}

}  // namespace

std::unique_ptr<Group> join_group(
    const Launch& launch,
    const Handshake& handshake,
    const JoinOptions& options) {
  if (launch.size == 1) return std::make_unique<SingleGroup>();
  if (options.timeout <= milliseconds::zero() ||
      options.beat <= milliseconds::zero())
    throw_caller_error("timeout and beat of the group: must be above 0 s");
  const std::string master = resolve_master(launch);
  prepare_process();
  StorePtr store = open_store(launch, master, options);
  try {
    MeetingOptions meeting{
        launch.rank, launch.size, options.timeout, {}, options.stop_requested};
    if (opens_store(launch)) meeting.stay = kStoreBeats * options.beat;
    const std::string start = meet(keys_of(store), handshake, meeting);
    store = c10::make_intrusive<c10d::PrefixStore>(start, store);
  } catch (const c10::Error& error) {
    throw_world_error(
        "rank {}: the store at {} port {} was lost while the ranks joined "
        "({}); look at the output of rank 0",
        launch.rank,
        launch.master_address,
        launch.master_port,
        words_of(error));
  }
  return std::make_unique<C10dGroup>(launch, store, master, options);
}

}  // namespace moft
