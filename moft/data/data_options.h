// Which examples to train on, which to measure on, and how they become prompts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moft/core/fields.h"
#include "moft/data/data_files.h"
#include "moft/data/prompt_options.h"
#include "moft/data/too_long.h"

namespace moft {

struct DataOptions : PromptOptions, DataFiles {
  std::vector<std::string> final;
  std::optional<std::string> reference_field;
  std::int64_t max_prompt_tokens = 512;
  TooLong too_long = TooLong::kError;

  template <class V>
  void fields(V& v) {
    file_fields(
        v,
        Help{
            "examples to train on: files of JSON lines (.gz too), one object a "
            "line; a path, a pattern such as data/*.jsonl, or a list of them"},
        Help{"held-out examples, never trained on, for choosing between "
             "settings: files as in train"});
    v("final",
      final,
      Help{"held-out examples for the figures that are published, answered by "
           "`moft evaluate --split final` only: files as in train, which share "
           "no prompt with train and evaluation; null: there are none"},
      OneOrMore{},
      Path{});
    prompt_fields(v);
    v("reference_field",
      reference_field,
      Help{
          "the example's field that holds a reference answer, for rewards "
          "that compare with one (of a dialogue: messages.answer); null: there "
          "is none"});
    v("max_prompt_tokens",
      max_prompt_tokens,
      Help{
          "longer training prompts are too long, as are prompts that leave no "
          "room for the answer in the model's context",
          "tokens"},
      at_least(1));
    v("too_long", too_long, kTooLongHelp);
    shuffle_field(v);
  }

  void check(const std::string& path) const { check_prompt(path); }
};

}  // namespace moft
