// A step that could not be finished, as its user reads it: which one, why,
// what to lower, and what is left.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>

#include "moft/core/errors.h"
#include "moft/core/memory.h"
#include "moft/distributed/stopped_waiting.h"

namespace moft {

// What messages say of the run.
struct RunPlace {
  std::string section;           // of the recipe: "training" or "sft"
  const char* memory_cure = "";  // what to change when memory runs out
  std::optional<std::filesystem::path> checkpoint;  // the newest
  // Whether `steps` may become fewer: under a constant learning rate.
  bool may_end_earlier = true;
};

// "the last good checkpoint is PATH", with the overrides that publish it.
std::string what_is_left(const RunPlace& place);

// Runs `take_step`, step number `step` of the run. A WorldError, and memory
// that ran out, become one WorldError with the step and what is left;
// StoppedWaiting stays one.
template <typename TakeStep>
auto run_step(
    std::int64_t step, const RunPlace& place, const TakeStep& take_step) {
  std::string reason;
  const auto words = [&] {
    return fmt::format(
        "stopped at step {}: {}; {}", step, reason, what_is_left(place));
  };
  try {
    return take_step();
  } catch (const CallerError&) {
    throw;
  } catch (const StoppedWaiting& error) {
    reason = error.what();
    throw StoppedWaiting(words());
  } catch (const WorldError& error) {
    reason = error.what();
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) throw;
    reason = out_of_memory_message(error, place.memory_cure);
  }
  throw WorldError(words());
}

}  // namespace moft
