// Reads and compares the parts of a recipe's data.
#include "moft/recipes/data_parts.h"

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/data/overlap.h"
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

SeenPrompts find_seen(
    const PromptMaker& prompt,
    const HeldOut& held_out,
    const ReadPart& read,
    const std::string& place) {
  for (const Split other : {Split::kTrain, Split::kEvaluation}) {
    if (other == held_out.split) continue;
    const Overlap overlap =
        find_overlap(prompt, held_out.examples, read(other));
    if (overlap.count == 0) continue;
    std::string what = describe_overlap(
        overlap,
        "data." + split_name(held_out.split),
        "data." + split_name(other) + held_out.owner);
    if (held_out.split == Split::kFinal) {
      throw_caller_error(
          "{}{}; published figures need prompts that nothing was trained on or "
          "chosen by: remove these from data.final",
          place,
          what);
    }
    return {overlap.count, std::move(what)};
  }
  return {};
}

std::string check_parts(
    const PromptMaker& prompt,
    const DataParts& parts,
    const std::string& place) {
  const auto read = [&](Split split) -> const std::vector<Example>& {
    return split == Split::kTrain ? parts.train : parts.evaluation;
  };
  const std::string opening = place + ": ";
  find_seen(prompt, {Split::kFinal, parts.final}, read, opening);
  const SeenPrompts seen =
      find_seen(prompt, {Split::kEvaluation, parts.evaluation}, read, opening);
  if (seen.count == 0) return {};
  return fmt::format(
      "{}{}; a held-out prompt must not be trained on: remove these from one "
      "of the two",
      opening,
      seen.what);
}

}  // namespace moft
