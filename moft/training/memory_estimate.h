// How much memory a training run will need, before anything is loaded.
//
// An estimate of the peak, from above for the parts that it counts: what is
// held all the time, and the largest of the rollout, the scoring pass and the
// gradient that the pass leaves when its activations are gone. Not counted:
// encoders of rewards, and pages of weight files, which the system may take
// back. resident_bytes() adds the program itself and the allocator's slack.
//
// With P parameters of the model, S in the steered set, C common to all
// weightings and trained, m objectives, s bytes of a stored weight (4, bf16 2);
// B = prompts x samples rows, n tokens of the longest prompt, T new tokens,
// K steerings of a step, `parts` of gradient_accumulation:
//
//   weights     P s, packed forwards, or what the blocks of a quantised file
//               take in float32; packed backwards what is frozen and passed by
//               a gradient: s times P of adapters, without the layers below the
//               first that has one, and P - S - C of attention's copies
//   masters     4 (m S + C), 4 (m S / N + C) of copies that N ranks share; of
//               adapters packed both ways too, 8 m S; of copies with the
//               mixture in float32, 4 S, what is common packed, C s, one packed
//               value for each of K steerings that a batch keeps (at most 8, or
//               m + 1), S s, and of full copies the reference's embedding table
//   gradients   4 (m S + C), or 4 (S + C) of copies under one steering; under
//               full copies with the pass's own, 4 (S + C); twice the former of
//               several slices, but of ranks once for each slice of a rank;
//               m + 1 more of the former with gradient_cosine_every
//   optimizer   8 (m S + C) of AdamW; 4 (m S + C) at most of Adafactor; of N
//               ranks 1/N
//   value       a network of P parameters: 4 P weights, gradient and optimizer
//               each, and its packed halves, 8 P
//   rollout     keys and values of every row (`cache`), logits of every row
//   value_pass  the value network's activations beside what the rollout keeps
//   scoring     activations that the gradient needs, logits; beside what
//               earlier parts and slices left of gradient, and the gradients
//               that are compared (`left`)
//
// On a GPU one form serves both directions.
//
// Each of several ranks has its share of the prompts and of the parts, and
// everything else whole, but for what is sharded. An evaluation during training
// brings all copies to ranks that share them: `evaluation` is what they lack
// and a rollout.
//
// Rollout, value_pass and scoring are those of the largest parts that
// training.memory_budget leaves (step_memory.h), which plans with the same
// costs.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>

#include "moft/training/step_costs.h"
#include "moft/training/training_options.h"

namespace moft {

// Parameters of one copy of the steered set. A pattern may name any: all.
std::int64_t steered_parameters(
    const ModelShape& shape, const ConditioningOptions& options);

// Trained parameters, by what they belong to.
struct TrainedParameters {
  std::int64_t steered = 0;  // S, of one objective
  std::int64_t common = 0;   // C, trained and common to all weightings
  std::int64_t trained = 0;  // m S + C
  // Numbers of a slice's gradient: m S + C, or S + C where a step has one
  // mixture, whose gradient is that of every copy but for a factor.
  std::int64_t summed = 0;
};

// Which state each of N ranks holds 1/N of, rather than all.
struct Sharding {
  bool optimizer = false;
  bool copies = false;  // the float32 masters of copies

  bool operator==(const Sharding&) const = default;
};

struct MemoryQuestion {
  ModelShape shape;
  // What the model's weights take where a file's blocks are multiplied as they
  // are.
  std::optional<std::int64_t> block_bytes;
  std::optional<ModelShape> value_network;  // none: the policy's shape
  ConditioningOptions conditioning;
  TrainingOptions training;
  std::int64_t objectives = 1;
  std::int64_t prompt_tokens = 0;  // of the longest prompt
  bool bf16 = false;
  bool on_gpu = false;
  std::int64_t ranks = 1;  // that share a step
  Sharding sharding;       // sharding_of(), or none of it
};

TrainedParameters trained_parameters(const MemoryQuestion& question);
// What one rank has of a step: its slices (ranks.h, whose CallerError it
// throws),
std::int64_t parts_of_rank(const MemoryQuestion& question);
// their prompts, which REQUIRE that there are such slices,
std::int64_t prompts_of_rank(const MemoryQuestion& question);
// and the steerings that its batch holds at most.
std::int64_t steerings_of_rank(const MemoryQuestion& question);
// What the ranks shard: the optimizer's state, and copies where shares_copies()
// (ranks.h) says so.
Sharding sharding_of(const MemoryQuestion& question);

// In bytes.
struct MemoryEstimate {
  std::int64_t weights = 0;
  std::int64_t masters = 0;
  std::int64_t gradients = 0;
  std::int64_t left = 0;  // of gradients, beside a scoring pass at most
  std::int64_t optimizer = 0;
  std::int64_t value = 0;
  std::int64_t rollout = 0;
  std::int64_t cache = 0;  // of it, keys and values
  std::int64_t value_pass = 0;
  std::int64_t scoring = 0;
  std::int64_t evaluation = 0;  // 0: takes no more than the rollout

  // What is held all the time.
  std::int64_t held() const;
  std::int64_t peak() const;
};

// What the system shows of such a process: the peak, the allocator's slack (a
// sixteenth of it; measured, docs/scale.md), the program and libtorch (0.3 GB).
std::int64_t resident_bytes(const MemoryEstimate& estimate);

// CallerError when the ranks do not divide the step, or training.memory_budget
// does not suffice for one row, or for one prompt of the value network.
MemoryEstimate estimate_memory(const MemoryQuestion& question);

}  // namespace moft
