// The three parts of a recipe's data: examples to train on, to choose settings
// by (evaluation) and to publish figures of (final).
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "moft/data/data_options.h"
#include "moft/data/example.h"
#include "moft/data/prompt_maker.h"

namespace moft {

enum class Split { kTrain, kEvaluation, kFinal };

// "train", "evaluation", "final"; its key is "data." and that.
std::string split_name(Split split);
// "evaluation" or "final"; CallerError for any other text.
Split parse_split(const std::string& text);

// The examples of one part. CallerError where the recipe has no such part.
std::vector<Example> read_split(const DataOptions& data, Split split);
// Its files, as written and joined by ", ", and the hash of their
// content.
std::string split_files(const DataOptions& data, Split split);
std::string hash_split(const DataOptions& data, Split split);

struct DataParts {
  std::vector<Example> train;
  std::vector<Example> evaluation;
  std::vector<Example> final;  // empty where the recipe has no such part
};

DataParts read_parts(const DataOptions& data);

// Prompts of a held-out part that another part has too.
struct SeenPrompts {
  std::size_t count = 0;
  // "3 of the 58 prompts of data.evaluation are also in data.train: a:1 is
  // b:7, .."; empty for none.
  std::string what = {};
};

struct HeldOut {
  Split split = Split::kEvaluation;
  const std::vector<Example>& examples;
  std::string owner = {};  // of the other parts, for messages: " of runs/a"
};

// Compares held-out prompts with those of the parts that were trained on or
// chosen by; `read` gives the examples of such a part. Throws CallerError,
// beginning with `place`, for a prompt of data.final that another part has.
using ReadPart = std::function<const std::vector<Example>&(Split)>;
SeenPrompts find_seen(
    const PromptMaker& prompt,
    const HeldOut& held_out,
    const ReadPart& read,
    const std::string& place);

// The same for all parts of a recipe. Returns a sentence that begins with
// `place` for what data.evaluation shares with data.train, empty for nothing.
std::string check_parts(
    const PromptMaker& prompt,
    const DataParts& parts,
    const std::string& place);

}  // namespace moft
