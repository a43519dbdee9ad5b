// A tiny run in a folder, and what it left there.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/training/run.h"
#include "moft/training/run_directory.h"

#include "tests/training/support.h"

namespace moft::test {

namespace fs = std::filesystem;

inline TinyRun six_steps() {
  TinyRun run = tiny_run();
  run.training.steps = 6;
  run.training.checkpoint.every = 2;
  run.training.checkpoint.keep = 2;
  return run;
}

inline RunSetup setup_of(const fs::path& directory) {
  fs::create_directories(directory);
  RunSetup setup;
  setup.directory = directory;
  setup.recipe = "name: tiny\n";
  return setup;
}

inline PolicyPublisher publisher_of(const TinyTraining& tiny) {
  const TrainingOptions& training = tiny.trainer->options();
  PolicyProduct product;
  product.policy = tiny.policy.get();
  product.prompt = tiny.trainer->prompts().prompt(0);
  product.base_path = tiny.base;
  product.card.name = "tiny";
  product.card.base_model = "tiny-base";
  product.answers_per_step =
      training.prompts_per_step * training.samples_per_prompt;
  return PolicyPublisher(std::move(product));
}

inline RunOutcome run_tiny(
    RunSetup setup,
    TinyTraining& tiny,
    const std::optional<Checkpoint>& resume = std::nullopt) {
  PolicyPublisher publisher = publisher_of(tiny);
  return Run(std::move(setup), *tiny.trainer, publisher, resume).run();
}

// Runs until done, or until `stop_after` steps; from the newest checkpoint
// when there is one.
inline RunOutcome run_in(
    const fs::path& directory,
    const fs::path& scratch,
    const TinyRun& options,
    std::int64_t stop_after = 1000) {
  TinyTraining tiny(scratch, options);
  RunSetup setup = setup_of(directory);
  setup.stop_requested = [&] {
    return tiny.trainer->finished_steps() >= stop_after;
  };
  std::optional<Checkpoint> resume;
  const auto found = list_checkpoints(directory);
  if (!found.empty()) resume = read_checkpoint(found.back());
  return run_tiny(setup, tiny, resume);
}

// Every file of a folder by its relative path.
inline std::map<std::string, std::string> contents_of(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file())
      files[fs::relative(entry.path(), folder)] = read_all(entry.path());
  }
  return files;
}

inline void flip_a_bit(const fs::path& file) {
  std::string bytes = read_all(file);
  bytes.at(bytes.size() - 3) ^= 1;
  std::ofstream(file, std::ios::binary) << bytes;
}

inline void write_file(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

// metrics.jsonl without the figures that are times.
inline std::vector<nlohmann::json> timeless_metrics(const fs::path& run) {
  std::istringstream text(read_all(run / kMetricsFile));
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(text, line);) {
    nlohmann::json kept;
    const auto parsed = nlohmann::json::parse(line);
    for (const auto& [key, value] : parsed.items()) {
      const bool time = key.starts_with("time/") || key == "step_time" ||
                        key == "tokens_per_second";
      if (!time) kept[key] = value;
    }
    lines.push_back(std::move(kept));
  }
  return lines;
}

}  // namespace moft::test
