// Checks on memory, and on end tokens written in the data.
#include "moft/recipes/preflight_looks.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <sys/resource.h>

#include "moft/core/text.h"
#include "moft/data/prompt_template.h"

namespace moft {
namespace {

// In bytes, from a file of lines "name: number kB".
std::optional<std::int64_t> named_kilobytes(
    const char* path, const std::string& wanted) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    std::int64_t kilobytes = 0;
    if (words >> name >> kilobytes && name == wanted) return kilobytes * 1024;
  }
  return std::nullopt;
}

std::optional<std::int64_t> number_in(const char* path) {
  std::ifstream file(path);
  std::int64_t number = 0;
  return file >> number ? std::optional(number) : std::nullopt;
}

// What the container's limit leaves; none without one (the file says "max").
std::optional<std::int64_t> control_group_memory() {
  const auto limit = number_in("/sys/fs/cgroup/memory.max");
  const auto used = number_in("/sys/fs/cgroup/memory.current");
  if (!limit || !used) return std::nullopt;
  return *limit - *used;
}

}  // namespace

std::optional<std::int64_t> available_memory() {
  auto least = named_kilobytes("/proc/meminfo", "MemAvailable:");
  const auto bound = [&](std::optional<std::int64_t> bytes) {
    if (bytes && (!least || *bytes < *least))
      least = std::max<std::int64_t>(0, *bytes);
  };
  bound(control_group_memory());
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    const auto used = named_kilobytes("/proc/self/status", "VmSize:");
    bound(static_cast<std::int64_t>(limit.rlim_cur) - used.value_or(0));
  }
  return least;
}

void look_at_memory(
    Findings& findings, const MemoryQuestion& question, DeviceChoice device) {
  const std::int64_t need = estimate_memory(question).peak();
  const auto there = available_memory();
  findings.note(
      "memory",
      fmt::format(
          "about {} at the peak, by estimate{}",
          bytes_as_text(need),
          there ? fmt::format("; {} available", bytes_as_text(*there)) : ""));
  // On another device it is that device's memory that counts.
  const bool on_cpu = device != DeviceChoice::kCuda;
  if (!there || !on_cpu || need <= *there) return;
  findings.warn(fmt::format(
      "the run needs about {} of memory by estimate, but {} are available; "
      "lower training.prompts_per_step, training.samples_per_prompt or "
      "training.max_new_tokens, give training.memory_budget, or steer fewer "
      "parameters",
      bytes_as_text(need),
      bytes_as_text(*there)));
}

void look_at_written_ends(
    Findings& findings,
    const std::string& completion_template,
    const std::vector<Example>& examples,
    const LoadedModel& model,
    const Tokenizer& tokenizer) {
  const PromptTemplate completion(completion_template);
  for (const std::string& field : completion.field_names()) {
    for (const std::int32_t id : model.model->info().end_tokens) {
      if (id >= tokenizer.vocab_size()) continue;
      const std::string end = tokenizer.token_bytes(id);
      const auto writes = [&](const Example& example) {
        const auto value = example.fields.find(field);
        return !end.empty() && value != example.fields.end() &&
               value->second.find(end) != std::string::npos;
      };
      const auto first = std::find_if(examples.begin(), examples.end(), writes);
      if (first == examples.end()) continue;
      findings.warn(fmt::format(
          "{} of {} completions write {} in the field '{}' (the first is {}), "
          "where it is only text; write it in data.completion_template, and "
          "take it out of the field",
          std::count_if(first, examples.end(), writes),
          examples.size(),
          quote_text(end),
          field,
          first->where));
    }
  }
}

}  // namespace moft
