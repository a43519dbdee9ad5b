// The checks of preflight.h on prompts, memory, and end tokens written in the
// data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moft/data/example.h"
#include "moft/models/load.h"
#include "moft/recipes/preflight.h"
#include "moft/recipes/recipe.h"
#include "moft/training/memory_estimate.h"

namespace moft {

// Bytes that this process can still take: the least of what the system has
// without swapping, what a container's limit (cgroup v2) and what the limit of
// address space leave. None where the system does not say.
std::optional<std::int64_t> available_memory();

// Notes what the model is and its end tokens; warns of a tokenizer with more
// tokens than it embeds.
void note_model(
    Findings& findings, const LoadedModel& model, const Tokenizer& tokenizer);

// CallerError for prompts with tokens that the model does not embed, which
// would end the run.
void check_ids(const LengthReport& report, std::int64_t vocabulary);

// Numbers that training would change and the policy keeps, without making
// copies of the model. The adapters that it leaves on the maps are replaced
// when the run installs its own.
std::int64_t trained_size(LanguageModel& model, const Recipe& recipe);

// Notes the estimate (training/memory_estimate.h) beside what is free, and
// warns when it is more, or that of all `local_ranks` of this machine is.
// CallerError as estimate_memory().
void look_at_memory(
    Findings& findings,
    const MemoryQuestion& question,
    DeviceChoice device,
    int local_ranks = 1);

// A template without a field, which makes the same text of every example, is a
// fault; doubled braces, as Jinja writes them, are braces here.
void look_at_template(
    Findings& findings,
    const std::optional<std::string>& text,
    const std::string& key);

// Notes which prompts a recipe without a template has. REQUIRES they are
// settled.
void look_at_prompt(Findings& findings, const PromptOptions& options);

// Warns when answers do not end where the prompt's format ends a turn.
void look_at_answer_end(
    Findings& findings,
    const PromptMaker& prompt,
    const LoadedModel& model,
    const Tokenizer& tokenizer);

// Warns of completions whose fields hold an end token's text, where it is only
// letters.
void look_at_written_ends(
    Findings& findings,
    const std::string& completion_template,
    const std::vector<Example>& examples,
    const LoadedModel& model,
    const Tokenizer& tokenizer);

// Warns when no dialogue's last learned token is an end token: the model would
// not learn to stop where its template ends a turn.
void look_at_turn_ends(
    Findings& findings,
    const std::vector<SftPair>& pairs,
    const Tokenizer& tokenizer,
    const ModelInfo& model);

// "12 examples from 1 file, longest prompt 40 tokens; 2 skipped, ..". `read`:
// what the report's lengths are of.
std::string describe_rows(
    const std::vector<std::string>& files,
    std::size_t kept,
    const LengthReport& report,
    const char* read = "prompt");

// Bytes of the masters of `trained` numbers and of the optimizer's state, at
// most.
std::int64_t checkpoint_bytes(
    std::int64_t trained, const OptimizerOptions& optimizer);

// What a run writes.
struct DiskNeeds {
  std::int64_t checkpoint_bytes = 0;
  std::int64_t kept = 0;  // checkpoints, beside the one being written
  std::int64_t published_bytes = 0;
  RunBegins begins = RunBegins::kFresh;
};

// Whether the output can be written and has room; notes how much it takes.
void look_at_disk(
    Findings& findings, const std::string& output, const DiskNeeds& needs);

}  // namespace moft
