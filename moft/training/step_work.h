// What one of N ranks does in a step, counted, and the seconds that it takes at
// given rates.
//
// With P prompts of a rank, B its rows, p mean tokens of a prompt, L mean
// tokens of an answer, T trained parameters, G numbers of a slice's gradient
// and k slices that it computes (memory_estimate.h):
//
//   prompt_tokens    P p
//   new_tokens       B L
//   optimizer_bytes  read and written by the updates: 4 T for the norm, then
//                    gradient, master and moments, 28 T (AdamW) or at most 20 T
//                    (Adafactor), a share of them where ranks shard the state
//   sent_bytes       to other ranks, for each update 4 G (k + 1) (N - 1) / N:
//                    every rank sends each other one its share of all slices,
//                    adds what it receives in the order of the ranks, and sends
//                    its sum to all (distributed/group.h). A value network's
//                    gradients travel alike. Where the optimizer's state is
//                    sharded, updated masters too, 4 T (N - 1) / N; of copies
//                    that ranks share the mixture instead, 4 S of 4 m S
//
// Not counted: rewards, log ratios and metrics, some bytes for each row.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>

#include "moft/training/memory_estimate.h"
#include "moft/training/trainer.h"

namespace moft {

struct StepWork {
  std::int64_t prompts = 0;
  std::int64_t rows = 0;
  double prompt_tokens = 0.0;
  double new_tokens = 0.0;
  std::int64_t passes = 1;  // over the completions, each with its gradient
  std::int64_t optimizer_bytes = 0;
  std::int64_t sent_bytes = 0;
};

// Means, in tokens.
struct MeanLengths {
  double prompt = 0.0;
  double answer = 0.0;  // the end token included
};

StepWork work_of_rank(const MemoryQuestion& question, MeanLengths lengths);

// Bytes that each rank sends when `ranks` ranks add `numbers` float32 numbers
// of `parts` parts each.
std::int64_t bytes_of_sum(
    std::int64_t numbers, std::int64_t parts, std::int64_t ranks);

// Seconds of a pass: once, for each prompt token, for each new one.
struct PassSeconds {
  double once = 0.0;
  double prompt = 0.0;
  double fresh = 0.0;

  double of(const StepWork& work) const {
    return once + prompt * work.prompt_tokens + fresh * work.new_tokens;
  }
};

// What a step took: new tokens, and the seconds of one part of it.
struct MeasuredPart {
  double fresh = 0.0;
  double seconds = 0.0;
};
// The line through a step of short answers and one of whole ones, with
// `prompt_tokens` in both. None of its parts is below zero: where longer
// answers took no longer, or more than all of the time, it goes to the answers.
PassSeconds pass_through(
    MeasuredPart brief, MeasuredPart whole, double prompt_tokens);

// The parts of StepTimes.
struct StepRates {
  PassSeconds rollout;
  PassSeconds reference;
  PassSeconds policy;
  PassSeconds value;
  double reward = 0.0;     // seconds for each completion
  double optimizer = 0.0;  // seconds for each byte
  double sending = 0.0;    // seconds for each byte
};

// Nobody waits for another rank.
StepTimes predict_step(const StepWork& work, const StepRates& rates);

}  // namespace moft
