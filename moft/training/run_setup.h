// What a run is given beside its trainer, and what it gives back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "moft/core/file_watch.h"
#include "moft/distributed/group.h"
#include "moft/training/run_directory.h"

namespace moft {

// Asked between two steps, and while a step waits for rewards from outside;
// true: save and stop.
using StopRequested = std::function<bool()>;

// Evaluates what is trained on held-out data. Called after the steps that
// RunOptions names; what it returns joins the step's metrics. Must draw its
// random numbers from the step alone.
using OnEvaluate =
    std::function<std::map<std::string, double>(std::int64_t step)>;

struct RunSetup {
  std::filesystem::path directory;  // exists, locked by the caller
  std::string recipe;               // effective, YAML
  RunKind kind = RunKind::kTrain;
  std::map<std::string, std::string> input_hashes;
  FileWatch watch;  // the files that stay mapped
  std::string device = "cpu";
  std::int64_t threads = 1;
  StopRequested stop_requested;  // or null
  OnEvaluate on_evaluate;        // or null: no evaluation
  // The processes that take the steps; none: one. Rank 0 writes, and has the
  // lock.
  Group* group = nullptr;
};

struct RunOutcome {
  bool finished = false;  // false: stopped on request
  std::int64_t step = 0;
  std::optional<std::filesystem::path> checkpoint;  // the newest
  std::filesystem::path product;  // policy or model, when finished
};

}  // namespace moft
