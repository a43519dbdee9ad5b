// Prompts against the lengths that a run allows: what is too long is refused,
// left out, or cut, and always counted and named.
//
// A cut takes text off the value of one field (of a dialogue: one message), the
// longest, and never off the template's own words, so that chat markup stays
// whole; where that is not enough it becomes empty and the next longest is cut.
// It takes as few characters as it can. The example keeps the cut value:
// rewards, logs and reports see the text that the model saw.
//
// Thread safety: one thread.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "moft/data/encode_prompt.h"
#include "moft/data/too_long.h"

namespace moft {

// In tokens.
struct PromptLimits {
  static constexpr std::int64_t kNone =
      std::numeric_limits<std::int64_t>::max() / 4;

  std::int64_t prompt = kNone;   // data.max_prompt_tokens
  std::int64_t context = kNone;  // of the model
  std::int64_t answer = 0;       // kept free for the answer
  // The weighting's words that go into every prompt; they count. Empty: none.
  std::string words = {};
  // The key that `answer` comes from; empty: a given completion.
  std::string answer_key = {};

  // What is left for the prompt and the words; below 1: nothing.
  std::int64_t longest() const;
};

// What was read, and what became of it.
struct LengthReport {
  std::int64_t examples = 0;
  std::int64_t longest = 0;  // prompt kept, the weighting's words included
  std::int64_t skipped = 0;
  std::int64_t truncated = 0;
  std::vector<std::string> places;  // the first few: "train.jsonl:7"
  TokenId largest_id = -1;          // in the prompts kept
  std::string largest_id_place = {};

  // "2 skipped, too long: a.jsonl:3, a.jsonl:9"; empty when nothing was.
  std::string describe() const;
};

// Counts what was kept, cut and left out.
class LengthTally {
 public:
  explicit LengthTally(TooLong too_long) : too_long_(too_long) {}

  TooLong too_long() const { return too_long_; }
  // What was kept: its ids and its length.
  void keep(
      const Example& example,
      const std::vector<TokenId>& ids,
      std::int64_t length);
  // What was kept after a cut; to be called beside keep().
  void cut(const Example& example);
  // What no cut can help: `fault` says what is too long. A truncating choice
  // leaves the example out. With `error` it is remembered and finish() throws,
  // so that all of them are counted.
  void refuse(const Example& example, const std::string& fault);

  // CallerError when `error` found something, or nothing is left.
  LengthReport finish();

 private:
  TooLong too_long_;
  LengthReport report_;
  std::string first_fault_;
  std::int64_t faults_ = 0;
};

class PromptFitter : public LengthTally {
 public:
  // The tokenizer must outlive it.
  PromptFitter(
      PromptMaker prompt, const Tokenizer& tokenizer, TooLong too_long);

  // The prompt's ids; none: too long and left out. Cuts `example` where it has
  // to. CallerError for a prompt without tokens.
  std::optional<std::vector<TokenId>> fit(
      Example& example, const PromptLimits& limits);

 private:
  struct Encoded {
    std::vector<TokenId> ids;
    std::int64_t length = 0;  // with the words
  };
  Encoded encode(const Example& example, const PromptLimits& limits) const;
  bool shorten(
      Example& example, Encoded& encoded, const PromptLimits& limits) const;

  PromptMaker prompt_;
  const Tokenizer& tokenizer_;
};

struct FittedExamples {
  std::vector<Example> examples;  // not empty
  LengthReport report;
};

// CallerError when the answer alone fills the model's context.
void check_room(const PromptLimits& limits);

// All examples of a run. CallerError as finish() and check_room().
FittedExamples fit_examples(
    std::vector<Example> examples,
    const PromptMaker& prompt,
    const Tokenizer& tokenizer,
    const PromptLimits& limits,
    TooLong too_long);

}  // namespace moft
