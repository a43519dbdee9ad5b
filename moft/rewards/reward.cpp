// Checks around a reward, and its second attempts.
#include "moft/rewards/reward.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/core/words.h"

namespace moft {
namespace {

constexpr std::size_t kShownBytes = 160;

void check_batch(const std::string& name, const RewardBatch& batch) {
  const std::size_t rows = batch.rows();
  const bool fits = batch.prompts.size() == rows &&
                    batch.token_counts.size() == rows &&
                    batch.examples.size() == rows;
  if (!fits) {
    throw_caller_error(
        "[reward {}] a batch of {} completions has {} prompts, {} token counts "
        "and {} examples; give one of each per completion",
        name,
        rows,
        batch.prompts.size(),
        batch.token_counts.size(),
        batch.examples.size());
  }
  for (const Example* example : batch.examples) {
    if (example == nullptr) {
      throw_caller_error("[reward {}] a row has no example", name);
    }
  }
}

[[noreturn]] void fail(
    const std::string& name,
    const RewardBatch& batch,
    std::size_t row,
    const std::string& what) {
  throw_world_error(
      "reward {}: {}; prompt {}, completion {}",
      quote_text(name),
      what,
      quote_text(batch.prompts.at(row), kShownBytes),
      quote_text(batch.completions.at(row), kShownBytes));
}

}  // namespace

bool is_empty_answer(const std::string& completion) {
  return is_blank(completion);
}

std::vector<double> Reward::score(const RewardBatch& batch) const {
  RewardMemo memo;
  return score(batch, memo);
}

const std::vector<double>& Reward::score(
    const RewardBatch& batch, RewardMemo& memo) const {
  if (const auto found = memo.values.find(this); found != memo.values.end()) {
    return found->second;
  }
  check_batch(name_, batch);
  std::vector<double> values;
  if (batch.rows() > 0) values = attempt(batch, memo);
  if (values.size() != batch.rows()) {
    fail(
        name_,
        batch,
        0,
        fmt::format(
            "gave {} numbers for {} completions", values.size(), batch.rows()));
  }
  for (std::size_t row = 0; row < values.size(); ++row) {
    const bool missing = may_be_missing() && std::isnan(values[row]);
    if (!missing && !std::isfinite(values[row])) {
      fail(name_, batch, row, fmt::format("is {}", values[row]));
    }
  }
  return memo.values[this] = std::move(values);
}

std::vector<double> Reward::attempt(
    const RewardBatch& batch, RewardMemo& memo) const {
  for (int tries = 1;; ++tries) {
    try {
      return compute(batch, memo);
    } catch (const CallerError&) {
      throw;
    } catch (const WorldError&) {
      throw;
    } catch (const WaitStopped&) {
      throw;
    } catch (const RewardRowError& error) {
      fail(name_, batch, std::min(error.row(), batch.rows() - 1), error.what());
    } catch (const TransientRewardError& error) {
      if (tries == kAttempts) {
        fail(
            name_,
            batch,
            0,
            fmt::format(
                "failed {} times in a batch of {} that begins here: {}",
                tries,
                batch.rows(),
                error.what()));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100 * tries));
    } catch (const std::exception& error) {
      fail(
          name_,
          batch,
          0,
          fmt::format(
              "failed in a batch of {} that begins here: {}",
              batch.rows(),
              error.what()));
    }
  }
}

}  // namespace moft
