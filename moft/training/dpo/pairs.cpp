// Examples as pairs of answers with scores.
#include "moft/training/dpo/pairs.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/data/answer_end.h"
#include "moft/training/sft/pairs.h"

namespace moft {
namespace {

using nlohmann::json;

using Two = std::array<double, 2>;

// The value at a path such as "scores.helpful"; none: it is not there.
std::optional<json> value_at(const Example& example, const std::string& path) {
  const auto text = example.fields.find(path);
  if (text != example.fields.end()) return json(text->second);
  const auto whole = example.values.find(path);
  if (whole != example.values.end()) return json::parse(whole->second);
  const std::size_t dot = path.find('.');
  if (dot == std::string::npos) return std::nullopt;
  const auto object = example.values.find(path.substr(0, dot));
  if (object == example.values.end()) return std::nullopt;
  json value = json::parse(object->second);
  for (const std::string& name : split(path.substr(dot + 1), '.')) {
    const auto found = value.is_object() ? value.find(name) : value.end();
    if (found == value.end()) return std::nullopt;
    value = json(*found);
  }
  return value;
}

[[noreturn]] void refuse(
    const Example& example,
    const std::string& objective,
    const std::string& field,
    const char* wanted) {
  throw_caller_error(
      "{}: objective {} reads the field {}, which is not {}; correct the row, "
      "or name another field in objectives.{}",
      place_of(example),
      objective,
      quote_text(field),
      wanted,
      objective);
}

json field_value(
    const Example& example,
    const std::string& objective,
    const std::string& field) {
  if (auto value = value_at(example, field)) return *std::move(value);
  refuse(example, objective, field, "there");
}

double number_of(
    const json& value,
    const Example& example,
    const std::string& objective,
    const std::string& field,
    const char* wanted) {
  if (value.is_number() && std::isfinite(value.get<double>()))
    return value.get<double>();
  refuse(example, objective, field, wanted);
}

// The better answer's index; none: a tie.
std::optional<std::size_t> label_of(
    const json& value,
    const Example& example,
    const std::string& objective,
    const std::string& field) {
  if (value.is_null() || value == "tie") return std::nullopt;
  if (value == 0 || value == "0" || value == "chosen") return 0;
  if (value == 1 || value == "1" || value == "rejected") return 1;
  refuse(
      example,
      objective,
      field,
      "0, 1, \"chosen\", \"rejected\", \"tie\" or null");
}

Two raw_scores(
    const Example& example,
    const std::string& name,
    const PreferenceObjective& objective) {
  if (objective.chosen_is_better) return {1.0, 0.0};
  if (objective.better) {
    const auto label = label_of(
        field_value(example, name, *objective.better),
        example,
        name,
        *objective.better);
    if (!label) return {0.5, 0.5};
    return *label == 0 ? Two{1.0, 0.0} : Two{0.0, 1.0};
  }
  Two scores{};
  if (!objective.fields_of_each.empty()) {
    for (std::size_t i = 0; i < 2; ++i) {
      const std::string& field = objective.fields_of_each[i];
      scores[i] = number_of(
          field_value(example, name, field), example, name, field, "a number");
    }
    return scores;
  }
  const std::string field = objective.scores.value_or("scores." + name);
  constexpr const char* kWanted = "a list of two numbers";
  const json value = field_value(example, name, field);
  if (!value.is_array() || value.size() != 2)
    refuse(example, name, field, kWanted);
  for (std::size_t i = 0; i < 2; ++i)
    scores[i] = number_of(value[i], example, name, field, kWanted);
  return scores;
}

// The text of an answer: the field itself, or the last of its messages.
const std::string& answer_text(
    const Example& example, const std::string& field, const char* key) {
  const auto found = example.dialogues.find(field);
  if (found == example.dialogues.end() || example.fields.contains(field))
    return text_field(example, field, key);
  const Dialogue& dialogue = found->second;
  if (!dialogue.fault.empty())
    throw_caller_error("{}: {}", place_of(example), dialogue.fault);
  if (dialogue.messages.empty() ||
      dialogue.messages.back().role != "assistant") {
    throw_caller_error(
        "{}: the messages of {} do not end with the assistant's; add its "
        "answer, or remove the row",
        place_of(example),
        quote_text(field));
  }
  return dialogue.messages.back().content;
}

class PairEncoder {
 public:
  explicit PairEncoder(const DpoReading& reading)
      : reading_(reading),
        maker_(reading.data.spec().maker()),
        fitter_(maker_, reading.tokenizer, reading.data.too_long),
        end_(end_token()) {
    limits_.prompt = reading.data.max_prompt_tokens;
    limits_.context = reading.model.context;
    limits_.words = reading.words;
  }

  DpoPairs encode(const std::vector<Example>& examples) {
    maker_.check(examples);
    DpoPairs result;
    for (const Example& example : examples) {
      if (auto pair = encode(example)) result.pairs.push_back(*std::move(pair));
    }
    result.lengths = fitter_.finish();
    return result;
  }

 private:
  // Where the prompt's format ends a turn, if the model stops there.
  TokenId end_token() const {
    const auto& ends = reading_.model.end_tokens;
    require_end_token(ends);
    const auto turn = turn_end_of(maker_, reading_.tokenizer);
    if (turn && std::ranges::find(ends, *turn) != ends.end()) return *turn;
    return completion_end(
        maker_.chat() ? "" : maker_.text(), reading_.tokenizer, reading_.model);
  }

  TokenIds answer(
      const Example& example, const std::string& field, const char* key) const {
    const PromptPiece piece{answer_text(example, field, key), true};
    TokenIds ids = encode_completion(std::span(&piece, 1), reading_.tokenizer);
    if (ids.empty()) {
      throw_caller_error(
          "{}: the answer {} is empty; there is nothing to learn from it",
          place_of(example),
          quote_text(field));
    }
    ids.push_back(end_);
    return ids;
  }

  std::optional<DpoPair> encode(Example example) {
    const DpoDataOptions& data = reading_.data;
    DpoPair pair;
    pair.scores = preference_scores(example, reading_.objectives);
    pair.answers = {
        answer(example, data.chosen, "data.chosen"),
        answer(example, data.rejected, "data.rejected")};
    limits_.answer =
        std::max(std::ssize(pair.answers[0]), std::ssize(pair.answers[1]));
    if (limits_.answer > data.max_completion_tokens) {
      fitter_.refuse(
          example,
          fmt::format(
              "an answer has {} tokens, more than data.max_completion_tokens = "
              "{}",
              limits_.answer,
              data.max_completion_tokens));
      return std::nullopt;
    }
    auto ids = fitter_.fit(example, limits_);
    if (!ids) return std::nullopt;
    pair.prompt.ids = *std::move(ids);
    if (const ChatPrompt* chat = maker_.chat()) {
      pair.prompt.turns =
          std::make_shared<const ChatTurns>(chat->prompt_turns(example));
    } else {
      pair.prompt.pieces = maker_.fill(example);
    }
    return pair;
  }

  const DpoReading& reading_;
  PromptMaker maker_;
  PromptFitter fitter_;
  TokenId end_;
  PromptLimits limits_;
};

}  // namespace

std::int64_t DpoPair::tokens() const {
  return std::ssize(answers[0]) + std::ssize(answers[1]);
}

std::array<std::vector<double>, 2> preference_scores(
    const Example& example, const PreferenceObjectives& objectives) {
  std::array<std::vector<double>, 2> scores;
  for (const auto& [name, objective] : objectives) {
    const Two raw = raw_scores(example, name, objective);
    const double low = objective.range[0];
    for (std::size_t i = 0; i < 2; ++i)
      scores[i].push_back((raw[i] - low) / (objective.range[1] - low));
  }
  return scores;
}

DpoPairs encode_dpo_pairs(
    const std::vector<Example>& examples, const DpoReading& reading) {
  return PairEncoder(reading).encode(examples);
}

}  // namespace moft
