// A group whose ranks are threads of the test.
#pragma once

#include <barrier>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "moft/distributed/group.h"

namespace moft::test {

// What the ranks of one group share.
class ThreadMeeting {
 public:
  explicit ThreadMeeting(int size)
      : slots_(static_cast<std::size_t>(size)), barrier_(size) {}

  std::vector<std::string> gather(int rank, std::string_view bytes) {
    slots_[static_cast<std::size_t>(rank)] = bytes;
    barrier_.arrive_and_wait();
    std::vector<std::string> all = slots_;
    barrier_.arrive_and_wait();
    return all;
  }
  void leave() { barrier_.arrive_and_drop(); }
  int size() const { return static_cast<int>(slots_.size()); }

 private:
  std::vector<std::string> slots_;
  std::barrier<> barrier_;
};

class ThreadGroup final : public Group {
 public:
  using Group::sum;

  ThreadGroup(ThreadMeeting& meeting, int rank)
      : meeting_(meeting), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return meeting_.size(); }
  std::vector<std::string> gather(std::string_view bytes) override {
    return meeting_.gather(rank_, bytes);
  }
  std::string broadcast(std::string_view bytes) override {
    return gather(rank_ == 0 ? bytes : std::string_view())[0];
  }
  void sum(std::span<const std::span<float>> parts) override { add(parts); }
  void sum(std::span<const std::span<double>> parts) override { add(parts); }
  BarrierWait barrier(std::string_view) override {
    gather({});
    return {};
  }
  bool agree(bool flag) override {
    bool any = false;
    for (const std::string& one : gather(flag ? "1" : "0"))
      any |= one == "1";
    return any;
  }

 private:
  template <class T>
  void add(std::span<const std::span<T>> parts) {
    std::string own;
    for (const std::span<T> part : parts)
      own.append(reinterpret_cast<const char*>(part.data()), part.size_bytes());
    const std::vector<std::string> all = gather(own);
    for (std::size_t i = 0; i < parts[0].size(); ++i) {
      T total = 0;
      bool begun = false;
      for (const std::string& bytes : all) {
        for (std::size_t p = 0; p < parts.size(); ++p) {
          const T value =
              reinterpret_cast<const T*>(bytes.data())[p * parts[0].size() + i];
          total = begun ? total + value : value;
          begun = true;
        }
      }
      parts[0][i] = total;
    }
  }

  ThreadMeeting& meeting_;
  int rank_;
};

// Runs `body` as every rank of a group of `size`, each on its own thread; an
// exception of the lowest rank that had one is thrown again.
inline void run_as_ranks(
    int size, const std::function<void(ThreadGroup& group)>& body) {
  ThreadMeeting meeting(size);
  std::vector<std::exception_ptr> faults(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        ThreadGroup group(meeting, rank);
        body(group);
      } catch (...) {
        faults[static_cast<std::size_t>(rank)] = std::current_exception();
      }
      meeting.leave();
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  for (const std::exception_ptr& fault : faults) {
    if (fault) std::rethrow_exception(fault);
  }
}

}  // namespace moft::test
