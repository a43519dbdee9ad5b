// Reads and compares the parts of a recipe's data.
#include "moft/recipes/data_parts.h"

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/data/overlap.h"
#include "moft/data/prompt_template.h"
#include "moft/recipes/run_inputs.h"

namespace moft {
namespace {

const std::vector<std::string>& files_of(const DataOptions& data, Split split) {
  switch (split) {
    case Split::kTrain:
      return data.train;
    case Split::kEvaluation:
      return data.evaluation;
    case Split::kFinal:
      if (!data.final.empty()) return data.final;
      throw_caller_error(
          "the recipe names no data.final; give it a file of examples that "
          "are in neither data.train nor data.evaluation, or use --split "
          "evaluation");
  }
  throw_caller_error("unknown part of the data");
}

}  // namespace

std::string split_name(Split split) {
  return split == Split::kTrain        ? "train"
         : split == Split::kEvaluation ? "evaluation"
                                       : "final";
}

Split parse_split(const std::string& text) {
  if (text == "evaluation") return Split::kEvaluation;
  if (text == "final") return Split::kFinal;
  throw_caller_error(
      "--split is {}; give evaluation (data.evaluation, for choosing) or final "
      "(data.final, for published figures)",
      quote_text(text));
}

std::vector<Example> read_split(const DataOptions& data, Split split) {
  return read_examples(files_of(data, split));
}

std::string split_files(const DataOptions& data, Split split) {
  return join(files_of(data, split), ", ");
}

std::string hash_split(const DataOptions& data, Split split) {
  return hash_files(files_of(data, split));
}

DataParts read_parts(const DataOptions& data) {
  DataParts parts;
  parts.train = read_split(data, Split::kTrain);
  parts.evaluation = read_split(data, Split::kEvaluation);
  if (!data.final.empty()) parts.final = read_split(data, Split::kFinal);
  return parts;
}

std::string check_parts(
    const std::string& prompt_template,
    const DataParts& parts,
    const std::string& place) {
  const PromptTemplate prompt(prompt_template);
  for (const Split other : {Split::kTrain, Split::kEvaluation}) {
    const Overlap overlap = find_overlap(
        prompt,
        parts.final,
        other == Split::kTrain ? parts.train : parts.evaluation);
    if (overlap.count == 0) continue;
    throw_caller_error(
        "{}: {}; published figures need prompts that nothing was trained on "
        "or chosen by: remove these from data.final",
        place,
        describe_overlap(overlap, "data.final", "data." + split_name(other)));
  }
  const Overlap overlap = find_overlap(prompt, parts.evaluation, parts.train);
  if (overlap.count == 0) return {};
  return fmt::format(
      "{}: {}; a held-out prompt must not be trained on: remove these from one "
      "of the two",
      place,
      describe_overlap(overlap, "data.evaluation", "data.train"));
}

}  // namespace moft
