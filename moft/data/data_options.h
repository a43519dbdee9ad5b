// Which examples to train on, which to measure on, and how they become prompts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "moft/core/fields.h"

namespace moft {

struct DataOptions {
  std::string train;
  std::string evaluation;
  std::optional<std::string> final;
  std::string prompt_template;
  std::optional<std::string> reference_field;
  std::int64_t max_prompt_tokens = 512;
  bool shuffle = true;

  template <class V>
  void fields(V& v) {
    v("train",
      train,
      Help{"examples to train on: a file of JSON lines, one object a line"},
      Required{});
    v("evaluation",
      evaluation,
      Help{"held-out examples, never trained on, for choosing between "
           "settings: a file of JSON lines"},
      Required{});
    v("final",
      final,
      Help{"held-out examples for the figures that are published, answered by "
           "`moft evaluate --split final` only: a file of JSON lines that "
           "shares no prompt with train and evaluation; null: there is none"});
    v("prompt_template",
      prompt_template,
      Help{"the prompt, with {name} for an example's field of that name and {{ "
           "}} for braces; saved with the policy"},
      Required{});
    v("reference_field",
      reference_field,
      Help{"the example's field that holds a reference answer, for rewards "
           "that compare with one; null: there is none"});
    v("max_prompt_tokens",
      max_prompt_tokens,
      Help{"a longer prompt is an error that names its example", "tokens"},
      at_least(1));
    v("shuffle",
      shuffle,
      Help{"a fresh order in every epoch; false: the order of the file"});
  }
};

}  // namespace moft
