// Rows out, values back.
#include "moft/rewards/outside/source_calls.h"

#include <chrono>
#include <utility>

#include "moft/data/columns.h"

namespace moft {
namespace {

// Whether a row is asked about together with the one before it.
bool continues_call(const RewardBatch& batch, std::size_t row, CallUnit unit) {
  if (unit == CallUnit::kRow || row == 0) return false;
  if (unit == CallUnit::kStep) return true;
  return batch.groups.empty() ? batch.examples[row] == batch.examples[row - 1]
                              : batch.groups[row] == batch.groups[row - 1];
}

template <typename Value>
std::vector<Value> chosen(
    const std::vector<Value>& all, const std::vector<std::size_t>& rows) {
  std::vector<Value> result;
  if (all.empty()) return result;
  for (const std::size_t row : rows)
    result.push_back(all[row]);
  return result;
}

RewardCall call_of(
    const RewardBatch& batch, const std::vector<std::size_t>& rows) {
  RewardCall call;
  call.step = batch.step;
  call.max_steps = batch.max_steps;
  call.prompts = chosen(batch.prompts, rows);
  call.completions = chosen(batch.completions, rows);
  call.raw_completions = chosen(batch.raw_completions, rows);
  call.completion_ids = chosen(batch.completion_ids, rows);
  call.columns = columns_of(chosen(batch.examples, rows));
  call.columns.erase("prompt");
  call.columns.erase("completion");
  for (const auto& turns : chosen(batch.turns, rows)) {
    if (turns) call.messages.emplace_back(messages_to_json(turns->messages));
  }
  if (call.messages.size() < rows.size()) call.messages.clear();
  return call;
}

void await(
    const std::future<RewardReply>& reply,
    const std::function<bool()>& stop_requested) {
  constexpr std::chrono::milliseconds kLook{100};
  if (!stop_requested) return;
  while (reply.wait_for(kLook) != std::future_status::ready)
    if (stop_requested()) throw WaitStopped();
}

}  // namespace

SourceCalls::SourceCalls(const RewardSource& source, const RewardBatch& batch)
    : source_(source), arrived_(batch.rows(), false) {
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    if (!continues_call(batch, row, source.options().unit))
      rows_of_call_.emplace_back();
    rows_of_call_.back().push_back(row);
    call_of_row_.push_back(rows_of_call_.size() - 1);
  }
  for (const auto& rows : rows_of_call_)
    awaited_.push_back(rows.size());
}

SourceCalls::~SourceCalls() {
  if (shared_) shared_->over = true;
}

void SourceCalls::row_arrived(const RewardBatch& batch, std::size_t row) {
  const std::size_t call = call_of_row_.at(row);
  arrived_[row] = true;
  if (--awaited_[call] == 0) send(batch, rows_of_call_[call]);
}

void SourceCalls::send_rest(const RewardBatch& batch) {
  for (std::size_t row = 0; row < arrived_.size(); ++row)
    if (!arrived_[row]) row_arrived(batch, row);
}

void SourceCalls::send(
    const RewardBatch& batch, std::vector<std::size_t> rows) {
  if (!shared_) {
    shared_ = std::make_shared<SourceBatch>();
    shared_->deadline =
        RewardClock::now() +
        std::chrono::duration_cast<RewardClock::duration>(
            std::chrono::duration<double>(source_.options().step_deadline));
  }
  auto reply = source_.submit(call_of(batch, rows), shared_);
  sent_.push_back({std::move(rows), std::move(reply)});
}

// What a call says of its rows, among that of all.
template <typename Value>
void SourceCalls::place(
    std::vector<Value> values,
    const std::vector<std::size_t>& rows,
    std::vector<Value>& all) const {
  all.resize(arrived_.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    all[rows[i]] = std::move(values[i]);
}

void SourceCalls::collect(const std::function<bool()>& stop_requested) {
  std::exception_ptr failure;
  for (Sent& sent : sent_) {
    if (!sent.reply.valid()) continue;
    await(sent.reply, stop_requested);
    try {
      RewardReply reply = sent.reply.get();
      for (auto& [output, values] : reply.rewards)
        place(std::move(values), sent.rows, values_[output]);
      for (const auto& [name, value] : reply.metrics)
        metrics_[name].push_back(value);
      for (auto& [name, texts] : reply.texts)
        place(std::move(texts), sent.rows, texts_[name]);
      seconds_ += reply.seconds;
    } catch (const GivenUp&) {
      if (!failure) failure = std::current_exception();
    } catch (const RewardRowError& error) {
      throw RewardRowError(sent.rows.at(error.row()), error.what());
    } catch (const std::exception& error) {
      throw RewardRowError(sent.rows.front(), error.what());
    }
  }
  if (failure) std::rethrow_exception(failure);
}

const std::vector<RewardValue>& SourceCalls::wait(
    const RewardBatch& batch,
    const std::string& output,
    const std::function<bool()>& stop_requested) {
  send_rest(batch);
  if (!collected_) collect(stop_requested);
  collected_ = true;
  return values_.at(output);
}

void SourceCalls::report(
    std::map<std::string, double>& metrics,
    std::map<std::string, RowTexts>& texts) const {
  texts.insert(texts_.begin(), texts_.end());
  for (const auto& [name, values] : metrics_) {
    double sum = 0.0;
    for (const double value : values)
      sum += value;
    metrics["reward_metrics/" + name] =
        sum / static_cast<double>(values.size());
  }
  metrics["time/reward_calls"] += seconds_;
}

SourceCalls& calls_to(
    const RewardSource& source, const RewardBatch& batch, RewardMemo& memo) {
  auto& calls = memo.calls[&source];
  if (!calls) calls = std::make_shared<SourceCalls>(source, batch);
  return *calls;
}

}  // namespace moft
