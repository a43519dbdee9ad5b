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
// Of the two that can be evaluated. CallerError for any other text.
Split parse_split(const std::string& text);

// The examples of one part. CallerError where the recipe has no such part.
std::vector<Example> read_split(const DataOptions& data, Split split);
// The files behind it, as written, and the hash of their content.
std::string split_files(const DataOptions& data, Split split);
std::string hash_split(const DataOptions& data, Split split);

// Reads all parts and compares their prompts. A prompt of data.final that is
// also in another part is a CallerError ("{place}: .."); what data.evaluation
// shares with data.train is returned as a sentence, empty when there is none.
std::string check_parts(const DataOptions& data, const std::string& place);

// The sentence of check_parts on its own; also for the pairs of `moft sft`.
std::string held_out_overlap(
    const std::string& prompt_template,
    const std::vector<Example>& evaluation,
    const std::vector<Example>& train,
    const std::string& place);

}  // namespace moft
