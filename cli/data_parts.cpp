#include "cli/data_parts.h"

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/text.h"
#include "moft/data/overlap.h"

namespace moft {
namespace {

const std::string& file_of(const DataOptions& data, Split split) {
  switch (split) {
    case Split::kTrain:
      return data.train;
    case Split::kEvaluation:
      return data.evaluation;
    case Split::kFinal:
      if (data.final) return *data.final;
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
  return read_examples(file_of(data, split));
}

std::string split_files(const DataOptions& data, Split split) {
  return file_of(data, split);
}

std::string hash_split(const DataOptions& data, Split split) {
  return hash_file(file_of(data, split));
}

std::string check_parts(const DataOptions& data, const std::string& place) {
  const PromptTemplate prompt(data.prompt_template);
  const auto train = read_split(data, Split::kTrain);
  const auto evaluation = read_split(data, Split::kEvaluation);
  if (data.final) {
    const auto final = read_split(data, Split::kFinal);
    for (const Split other : {Split::kTrain, Split::kEvaluation}) {
      const Overlap overlap = find_overlap(
          prompt, final, other == Split::kTrain ? train : evaluation);
      if (overlap.count == 0) continue;
      throw_caller_error(
          "{}: {}; published figures need prompts that nothing was trained on "
          "or chosen by: remove these from data.final",
          place,
          describe_overlap(overlap, "data.final", "data." + split_name(other)));
    }
  }
  return held_out_overlap(data.prompt_template, evaluation, train, place);
}

std::string held_out_overlap(
    const std::string& prompt_template,
    const std::vector<Example>& evaluation,
    const std::vector<Example>& train,
    const std::string& place) {
  const Overlap overlap =
      find_overlap(PromptTemplate(prompt_template), evaluation, train);
  if (overlap.count == 0) return {};
  return fmt::format(
      "{}: {}; a held-out prompt must not be trained on: remove these from one "
      "of the two",
      place,
      describe_overlap(overlap, "data.evaluation", "data.train"));
}

}  // namespace moft
