// Checks on prompts, memory, and end tokens written in the data.
#include "moft/recipes/preflight_looks.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include "moft/conditioning/conditioning.h"
#include "moft/conditioning/steered_set.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/text.h"
#include "moft/data/answer_end.h"
#include "moft/data/prompt_template.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

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

constexpr std::int64_t kFloatBytes = 4;

// The folder that is there, or that the output would be made in.
void check_writable(const std::string& output) {
  fs::path existing = fs::absolute(output).lexically_normal();
  std::error_code ignored;
  while (!fs::exists(existing, ignored) && existing.has_relative_path())
    existing = existing.parent_path();
  if (!fs::is_directory(existing, ignored)) {
    throw_caller_error(
        "output is {}, but {} is a file; give another folder",
        quote_text(output, 200),
        quote_text(existing.string(), 200));
  }
  if (::access(existing.c_str(), W_OK | X_OK) != 0) {
    throw_caller_error(
        "output is {}, but {} cannot be written; give another folder",
        quote_text(output, 200),
        quote_text(existing.string(), 200));
  }
}

}  // namespace

std::string describe_rows(
    const std::vector<std::string>& files,
    std::size_t kept,
    const LengthReport& report,
    const char* read) {
  const std::string changed = report.describe();
  return fmt::format(
      "{} example{} from {} file{}, longest {} {} tokens{}",
      kept,
      kept == 1 ? "" : "s",
      files.size(),
      files.size() == 1 ? "" : "s",
      read,
      report.longest,
      changed.empty() ? "" : "; " + changed);
}

std::int64_t checkpoint_bytes(
    std::int64_t trained, const OptimizerOptions& optimizer) {
  const std::int64_t moments = optimizer.kind == OptimizerKind::kAdamW ? 2 : 1;
  return trained * (1 + moments) * kFloatBytes;
}

void look_at_disk(
    Findings& findings, const std::string& output, const DiskNeeds& needs) {
  const std::int64_t kept = needs.begins == RunBegins::kFresh ? needs.kept : 0;
  const std::int64_t all =
      needs.checkpoint_bytes * (kept + 1) + needs.published_bytes;
  findings.attempt([&] {
    check_writable(output);
    require_free_space(output, static_cast<std::uint64_t>(all));
    findings.note(
        "disk",
        fmt::format(
            "up to {:.1f} MB: {} checkpoints of {:.1f} MB, one more while it "
            "is "
            "written, and the result",
            static_cast<double>(all) / 1e6,
            kept,
            static_cast<double>(needs.checkpoint_bytes) / 1e6));
  });
}

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
    Findings& findings,
    const MemoryQuestion& question,
    DeviceChoice device,
    int local_ranks) {
  const std::int64_t each = estimate_memory(question).peak();
  const std::int64_t need = each * local_ranks;
  const auto there = available_memory();
  findings.note(
      "memory",
      fmt::format(
          "about {} at the peak{}, by estimate{}",
          bytes_as_text(each),
          question.ranks == 1 ? "" : " of each rank",
          there ? fmt::format("; {} available", bytes_as_text(*there)) : ""));
  // On another device it is that device's memory that counts.
  const bool on_cpu = device != DeviceChoice::kCuda;
  if (!there || !on_cpu || need <= *there) return;
  findings.warn(fmt::format(
      "the run needs about {} of memory {}by estimate, but {} are available; "
      "lower training.prompts_per_step, training.samples_per_prompt or "
      "training.max_new_tokens, give training.memory_budget, or steer fewer "
      "parameters",
      bytes_as_text(need),
      local_ranks == 1
          ? std::string()
          : fmt::format("for {} ranks on this machine ", local_ranks),
      bytes_as_text(*there)));
}

void look_at_template(
    Findings& findings,
    const std::optional<std::string>& text,
    const std::string& key) {
  if (!text) return;
  findings.attempt([&] {
    if (!PromptTemplate(*text).field_names().empty()) return;
    throw_caller_error(
        "{} names no field, so it is the same for every example{}; write a "
        "field in single braces, such as {{post}}",
        key,
        text->find("{{") == std::string::npos
            ? ""
            : " ({{ }} stand for braces here)");
  });
}

void look_at_prompt(Findings& findings, const PromptOptions& options) {
  if (options.prompt_template) return;
  const auto& chat = options.settled->chat;
  findings.note(
      "prompt",
      !chat ? "the text 'prompt' of a row, as it is"
            : fmt::format(
                  "dialogues through {}",
                  options.chat_template
                      ? "the chat template " + *options.chat_template
                      : std::string("the model's chat template")));
}

void look_at_answer_end(
    Findings& findings,
    const PromptMaker& prompt,
    const LoadedModel& model,
    const Tokenizer& tokenizer) {
  const auto warning =
      answer_end_warning(prompt, tokenizer, model.model->info().end_tokens);
  if (warning) findings.warn(*warning);
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

void look_at_turn_ends(
    Findings& findings,
    const std::vector<SftPair>& pairs,
    const Tokenizer& tokenizer,
    const ModelInfo& model) {
  const auto ends = [&](const SftPair& pair) {
    return std::find(
               model.end_tokens.begin(),
               model.end_tokens.end(),
               pair.completion.back()) != model.end_tokens.end();
  };
  if (std::any_of(pairs.begin(), pairs.end(), ends)) return;
  findings.warn(fmt::format(
      "the chat template ends the assistant's turns with {}, at which the "
      "model's answers do not end, so the model does not learn to stop there; "
      "add that token's id to eos_token_id in the model's "
      "generation_config.json, or give data.chat_template a file whose turns "
      "end with an end token",
      quote_text(tokenizer.token_bytes(pairs.front().completion.back()))));
}

namespace {

// T5 has no limit, which is written as the largest number.
std::string context_text(std::int64_t context) {
  return context >= std::numeric_limits<std::int32_t>::max()
             ? std::string("no limit of context")
             : fmt::format("context of {} tokens", context);
}

}  // namespace

void note_model(
    Findings& findings, const LoadedModel& model, const Tokenizer& tokenizer) {
  const ModelInfo& info = model.model->info();
  findings.note(
      "model",
      fmt::format(
          "{}, {} parameters, {}, {} embeddings for {} tokens",
          info.family,
          info.parameters,
          context_text(info.context),
          info.vocabulary,
          tokenizer.vocab_size()));
  if (tokenizer.vocab_size() > info.vocabulary) {
    findings.warn(fmt::format(
        "the tokenizer has {} tokens but the model embeds {}; prompts with the "
        "others cannot be read: use the tokenizer that belongs to the model, "
        "or resize its embeddings",
        tokenizer.vocab_size(),
        info.vocabulary));
  }
  if (!findings.attempt([&] { require_end_token(info.end_tokens); })) return;
  std::vector<std::string> ends;
  for (const std::int32_t id : info.end_tokens) {
    ends.push_back(
        id < tokenizer.vocab_size() ? quote_text(tokenizer.token_bytes(id))
                                    : std::to_string(id));
  }
  findings.note("end tokens", join(ends, ", "));
}

void check_ids(const LengthReport& report, std::int64_t vocabulary) {
  if (report.largest_id < vocabulary) return;
  throw_caller_error(
      "{}: the prompt holds token {}, but the model embeds {}; use the "
      "tokenizer that belongs to the model, or resize its embeddings",
      report.largest_id_place,
      report.largest_id,
      vocabulary);
}

std::int64_t trained_size(LanguageModel& model, const Recipe& recipe) {
  Steerable& steerable = model.steerable();
  const ConditioningOptions& options = recipe.conditioning;
  if (options.steered_set == SteeredSet::kLora) {
    return install_conditioning(
               steerable, options, recipe.objective_names(), /*seed=*/0)
        ->counts()
        .trained;
  }
  const std::vector<bool> steered = choose_steered(steerable, options);
  const auto copies = static_cast<std::int64_t>(recipe.objectives.size());
  std::int64_t trained = 0;
  for (std::size_t p = 0; p < steered.size(); ++p) {
    const std::int64_t count = steerable.parameters[p]->numel();
    if (steered[p]) trained += copies * count;
    if (!steered[p] && !options.freeze_shared) trained += count;
  }
  return trained;
}

}  // namespace moft
