// Refuses, leaves out or cuts prompts that are too long.
#include "moft/data/fit_prompts.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

constexpr std::size_t kPlacesShown = 3;

// What is wrong with a prompt of `tokens`; it is longer than limits.longest().
std::string fault_of(std::int64_t tokens, const PromptLimits& limits) {
  if (tokens > limits.prompt) {
    return fmt::format(
        "the prompt has {} tokens{}, more than data.max_prompt_tokens = {}",
        tokens,
        limits.words.empty() ? "" : " with the weighting's words",
        limits.prompt);
  }
  const std::int64_t all = tokens + limits.answer;
  if (limits.answer_key.empty()) {
    return fmt::format(
        "prompt and completion have {} tokens, more than the model's {}",
        all,
        limits.context);
  }
  return fmt::format(
      "the prompt has {} tokens, which with {} = {} are {}, more than the "
      "model's {}",
      tokens,
      limits.answer_key,
      limits.answer,
      all,
      limits.context);
}

// The first byte of each character, and the end.
std::vector<std::size_t> character_bounds(const std::string& text) {
  std::vector<std::size_t> bounds;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80)
      bounds.push_back(i);
  }
  bounds.push_back(text.size());
  return bounds;
}

}  // namespace

std::int64_t PromptLimits::longest() const {
  return std::min(prompt, context - answer);
}

std::string LengthReport::describe() const {
  if (skipped + truncated == 0) return {};
  std::vector<std::string> parts;
  if (skipped > 0) parts.push_back(fmt::format("{} skipped", skipped));
  if (truncated > 0) parts.push_back(fmt::format("{} cut", truncated));
  const auto named = static_cast<std::int64_t>(places.size());
  return fmt::format(
      "{}, too long: {}{}",
      join(parts, " and "),
      join(places, ", "),
      skipped + truncated > named ? " .." : "");
}

PromptFitter::PromptFitter(
    PromptMaker prompt, const Tokenizer& tokenizer, TooLong too_long)
    : LengthTally(too_long),
      prompt_(std::move(prompt)),
      tokenizer_(tokenizer) {}

PromptFitter::Encoded PromptFitter::encode(
    const Example& example, const PromptLimits& limits) const {
  Encoded encoded;
  encoded.ids = encode_prompt(prompt_, example, tokenizer_);
  encoded.length = std::ssize(
      limits.words.empty()
          ? encoded.ids
          : encode_prompt(prompt_, example, tokenizer_, limits.words));
  return encoded;
}

void LengthTally::keep(
    const Example& example,
    const std::vector<TokenId>& ids,
    std::int64_t length) {
  ++report_.examples;
  report_.longest = std::max(report_.longest, length);
  const TokenId largest = *std::max_element(ids.begin(), ids.end());
  if (largest > report_.largest_id) {
    report_.largest_id = largest;
    report_.largest_id_place = place_of(example);
  }
}

std::optional<std::vector<TokenId>> PromptFitter::fit(
    Example& example, const PromptLimits& limits) {
  Encoded encoded = encode(example, limits);
  std::vector<TokenId>& ids = encoded.ids;
  if (ids.empty()) {
    throw_caller_error(
        "{}: the prompt is empty, and the model puts no token before it; fill "
        "in its field, remove the line, or put words into the template",
        place_of(example));
  }
  if (encoded.length > limits.longest()) {
    const std::string fault = fault_of(encoded.length, limits);
    const bool cuts = too_long() == TooLong::kTruncateLeft ||
                      too_long() == TooLong::kTruncateRight;
    if (!cuts || !shorten(example, encoded, limits)) {
      refuse(
          example,
          cuts ? fault + ", and its template alone is too long" : fault);
      return std::nullopt;
    }
    cut(example);
  }
  keep(example, ids, encoded.length);
  return ids;
}

void LengthTally::cut(const Example& example) {
  ++report_.truncated;
  if (report_.places.size() < kPlacesShown)
    report_.places.push_back(place_of(example));
}

void LengthTally::refuse(const Example& example, const std::string& fault) {
  ++report_.examples;
  if (faults_++ == 0)
    first_fault_ = fmt::format("{}: {}", place_of(example), fault);
  if (too_long_ == TooLong::kError) return;
  ++report_.skipped;
  if (report_.places.size() < kPlacesShown)
    report_.places.push_back(place_of(example));
}

LengthReport LengthTally::finish() {
  if (too_long_ == TooLong::kError && faults_ > 0) {
    throw_caller_error(
        "{}{}; shorten {}, change the limit, or set data.too_long to skip, "
        "truncate_left or truncate_right",
        first_fault_,
        faults_ == 1
            ? ""
            : fmt::format(" (and so are {} more too long)", faults_ - 1),
        faults_ == 1 ? "the example" : "the examples");
  }
  if (faults_ == report_.examples && faults_ > 0) {
    throw_caller_error(
        "{}; and so are all others too long, so that none is left",
        first_fault_);
  }
  return report_;
}

// Grows the part that is kept from a guess until it no longer fits, then
// searches between: each trial costs about `limit` tokens however long the
// field is.
bool PromptFitter::shorten(
    Example& example, Encoded& encoded, const PromptLimits& limits) const {
  const std::int64_t limit = limits.longest();
  if (limit < 1) return false;
  const std::vector<std::string*> values = prompt_.values(example);
  Example trial = example;
  const std::vector<std::string*> tried = prompt_.values(trial);
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    return values[a]->size() > values[b]->size();
  });
  for (const std::size_t i : order) {
    const std::string& whole = *values[i];
    const auto bounds = character_bounds(whole);
    const std::size_t count = bounds.size() - 1;
    const auto fits = [&](std::size_t kept) {
      *tried[i] = too_long() == TooLong::kTruncateLeft
                      ? whole.substr(bounds[count - kept])
                      : whole.substr(0, bounds[kept]);
      Encoded shorter = encode(trial, limits);
      if (shorter.length > limit) return false;
      encoded = std::move(shorter);
      return true;
    };
    if (!fits(0)) continue;
    std::size_t low = 0;
    std::size_t high = std::min(count, static_cast<std::size_t>(limit) * 2);
    while (high < count && fits(high)) {
      low = high;
      high = std::min(count, high * 2);
    }
    while (high - low > 1) {
      const std::size_t middle = low + (high - low) / 2;
      (fits(middle) ? low : high) = middle;
    }
    fits(low);
    example = std::move(trial);
    return true;
  }
  return false;
}

void check_room(const PromptLimits& limits) {
  if (limits.context - limits.answer >= 1) return;
  throw_caller_error(
      "{} is {}, which leaves no room for a prompt in the model's context of "
      "{} tokens; lower it",
      limits.answer_key.empty() ? "the answer's length" : limits.answer_key,
      limits.answer,
      limits.context);
}

FittedExamples fit_examples(
    std::vector<Example> examples,
    const PromptMaker& prompt,
    const Tokenizer& tokenizer,
    const PromptLimits& limits,
    TooLong too_long) {
  check_room(limits);
  PromptFitter fitter(prompt, tokenizer, too_long);
  FittedExamples fitted;
  for (Example& example : examples) {
    if (fitter.fit(example, limits))
      fitted.examples.push_back(std::move(example));
  }
  fitted.report = fitter.finish();
  return fitted;
}

}  // namespace moft
