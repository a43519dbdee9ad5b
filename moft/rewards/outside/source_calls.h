// The calls of one batch to one source: sent as rows arrive, collected by row.
//
// Thread safety: one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "moft/rewards/outside/reward_source.h"
#include "moft/rewards/reward.h"

namespace moft {

class SourceCalls {
 public:
  SourceCalls(const RewardSource& source, const RewardBatch& batch);
  // Answers still on their way are forgotten.
  ~SourceCalls();
  SourceCalls(const SourceCalls&) = delete;
  SourceCalls& operator=(const SourceCalls&) = delete;

  // The batch's completion of this row is there; sends the call that it was
  // the last row of. The rows of a call are in the batch's order, whatever the
  // order in which they arrive. REQUIRES each row once.
  void row_arrived(const RewardBatch& batch, std::size_t row);
  // Sends all rows that have not arrived.
  void send_rest(const RewardBatch& batch);
  // The values of an output, by row: waits for every answer. Throws what a
  // worker met, and WaitStopped; RewardRowError names the first row of the call
  // that failed, or the row at fault.
  const std::vector<RewardValue>& wait(
      const RewardBatch& batch,
      const std::string& output,
      const std::function<bool()>& stop_requested = nullptr);

  // Adds the mean of each metric that answers hold, and the source's time; and
  // their texts by name.
  void report(
      std::map<std::string, double>& metrics,
      std::map<std::string, RowTexts>& texts) const;

 private:
  struct Sent {
    std::vector<std::size_t> rows;
    std::future<RewardReply> reply;
  };

  void send(const RewardBatch& batch, std::vector<std::size_t> rows);
  template <typename Value>
  void place(
      std::vector<Value> values,
      const std::vector<std::size_t>& rows,
      std::vector<Value>& all) const;
  void collect(const std::function<bool()>& stop_requested);

  const RewardSource& source_;
  std::shared_ptr<SourceBatch> shared_;   // null: nothing sent yet
  std::vector<std::size_t> call_of_row_;  // [rows]
  std::vector<std::vector<std::size_t>> rows_of_call_;
  std::vector<std::size_t> awaited_;  // rows per call that have not arrived
  std::vector<bool> arrived_;         // [rows]
  std::vector<Sent> sent_;
  bool collected_ = false;
  std::map<std::string, std::vector<RewardValue>> values_;
  std::map<std::string, std::vector<double>> metrics_;
  std::map<std::string, RowTexts> texts_;
  double seconds_ = 0.0;
};

// Those of the batch that the memo belongs to.
SourceCalls& calls_to(
    const RewardSource& source, const RewardBatch& batch, RewardMemo& memo);

}  // namespace moft
