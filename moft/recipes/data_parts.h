// The three parts of a recipe's data: examples to train on, to choose settings
// by (evaluation) and to publish figures of (final).
#pragma once

#include <string>
#include <vector>

#include "moft/data/data_options.h"
#include "moft/data/example.h"

namespace moft {

enum class Split { kTrain, kEvaluation, kFinal };

// "train", "evaluation", "final"; its key is "data." and that.
std::string split_name(Split split);
// "evaluation" or "final"; CallerError for any other text.
Split parse_split(const std::string& text);

// The examples of one part. CallerError where the recipe has no such part.
std::vector<Example> read_split(const DataOptions& data, Split split);
// The files behind it, as written and joined by ", ", and the hash of their
// content.
std::string split_files(const DataOptions& data, Split split);
std::string hash_split(const DataOptions& data, Split split);

struct DataParts {
  std::vector<Example> train;
  std::vector<Example> evaluation;
  std::vector<Example> final;  // empty where the recipe has no such part
};

DataParts read_parts(const DataOptions& data);

// Compares the prompts of the parts. A prompt of data.final that is also in
// another part is a CallerError; what data.evaluation shares with data.train is
// returned as a sentence, empty when there is none. Both begin with `place`.
std::string check_parts(
    const std::string& prompt_template,
    const DataParts& parts,
    const std::string& place);

}  // namespace moft
