// Examples to what a classifier reads and learns.
#include "moft/training/reward/rows.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/rewards/preference_text.h"

namespace moft {
namespace {

using nlohmann::json;

// What a field holds besides text; null: nothing.
json value_of(const Example& example, const std::string& field) {
  const auto found = example.values.find(field);
  return found == example.values.end() ? json() : json::parse(found->second);
}

// A text, a whole number or true and false as their letters.
std::string label_text(const Example& example, const std::string& field) {
  const json value = value_of(example, field);
  if (value.is_number_integer() || value.is_boolean()) return value.dump();
  return text_field(example, field, "data.label");
}

double number_of(
    const Example& example, const std::string& field, const char* key) {
  const json value = value_of(example, field);
  if (value.is_number() && std::isfinite(value.get<double>()))
    return value.get<double>();
  if (value.is_null() && !example.fields.contains(field))
    text_field(example, field, key);  // says that it is missing
  throw_caller_error(
      "{}: the field {}, which {} names, is not a number; write one without "
      "quotes, or remove the row",
      place_of(example),
      quote_text(field),
      key);
}

std::int64_t label_of(
    const Example& example,
    const std::string& field,
    const std::vector<std::string>& labels) {
  const std::string label = label_text(example, field);
  const auto found = std::ranges::find(labels, label);
  if (found != labels.end()) return found - labels.begin();
  const auto index = parse_integer(label);
  if (index && *index >= 0 && *index < std::ssize(labels)) return *index;
  throw_caller_error(
      "{}: the label {} is not one of the model's: {} (or their index from "
      "0); correct the row, or give all labels in reward.labels, with which "
      "the model gets a new head",
      place_of(example),
      quote_text(label),
      join(labels, ", "));
}

// Answers of many data sets repeat the prompt as their first message.
bool has_user(const ChatMessages& messages) {
  return std::ranges::any_of(
      messages, [](const ChatMessage& m) { return m.role == "user"; });
}

PromptPiece field_piece(const std::string& text) {
  return {text, true};
}

class RowEncoder {
 public:
  explicit RowEncoder(const RowReading& reading)
      : reading_(reading),
        data_(reading.data),
        first_(data_.premise.value_or(data_.text.value_or("{text}"))),
        tally_(data_.too_long) {
    if (data_.premise)
      second_.emplace(data_.hypothesis.value_or("{hypothesis}"));
    if (reading.kind == RewardTask::kPreference) {
      answers_.emplace(
          PreferenceWords{data_.user, data_.text}, info(), reading.chat);
    }
  }

  RewardRows encode(const std::vector<Example>& examples) {
    RewardRows result;
    for (const Example& example : examples) {
      if (auto row = read(example)) result.rows.push_back(*std::move(row));
    }
    result.lengths = tally_.finish();
    return result;
  }

 private:
  const ClassifierInfo& info() const { return reading_.reader->info(); }

  std::optional<RewardRow> read(const Example& example) {
    RewardRow row;
    std::vector<JudgedText> texts;
    switch (reading_.kind) {
      case RewardTask::kClassification:
        row.label = label_of(example, data_.label, info().labels);
        texts.push_back(judged(example));
        break;
      case RewardTask::kRegression:
        row.number = number_of(example, data_.label, "data.label");
        texts.push_back(judged(example));
        break;
      case RewardTask::kPreference:
        if (data_.margin)
          row.number = number_of(example, *data_.margin, "data.margin");
        texts.push_back(answer(example, data_.chosen));
        texts.push_back(answer(example, data_.rejected));
        break;
    }
    bool cut = false;
    for (const JudgedText& text : texts) {
      auto read = window(text, example, cut);
      if (!read) return std::nullopt;
      row.texts.push_back(*std::move(read));
    }
    if (cut) tally_.cut(example);
    for (const ReadText& text : row.texts)
      longest_ = std::max(longest_, std::ssize(text.ids));
    tally_.keep(example, row.texts.front().ids, longest_);
    return row;
  }

  JudgedText judged(const Example& example) const {
    JudgedText text{first_.fill(example)};
    if (second_) text.second = second_->fill(example);
    return text;
  }

  // The prompt with the answer in `field`.
  JudgedText answer(const Example& example, const std::string& field) const {
    const auto dialogue = example.dialogues.find(field);
    if (dialogue == example.dialogues.end())
      return beside_prompt(
          example, text_field(example, field, "reward.kind: preference"));
    const ChatMessages& messages = dialogue->second.messages;
    if (!dialogue->second.fault.empty())
      throw_caller_error("{}: {}", place_of(example), dialogue->second.fault);
    if (messages.empty() || messages.back().role != "assistant") {
      throw_caller_error(
          "{}: the last message of {} is not the assistant's; an answer is "
          "what is judged: end the list with one",
          place_of(example),
          quote_text(field));
    }
    if (data_.user || data_.text)
      return beside_prompt(example, messages.back().content);
    ChatTurns turns;
    turns.where = place_of(example);
    turns.tools = example.tools;
    turns.kwargs = example.chat_template_kwargs;
    const auto prompt = example.dialogues.find("prompt");
    if (prompt != example.dialogues.end()) {
      turns.messages = prompt->second.messages;
    } else if (example.fields.contains("prompt") && !has_user(messages)) {
      turns.messages = {{"user", example.fields.at("prompt")}};
    }
    turns.messages.insert(
        turns.messages.end(), messages.begin(), messages.end());
    const auto& chat = answers_->chat();
    return answers_->of(chat ? chat->with_system(turns) : turns);
  }

  JudgedText beside_prompt(
      const Example& example, const std::string& completion) const {
    const bool has_prompt = example.fields.contains("prompt") ||
                            example.dialogues.contains("prompt") ||
                            example.dialogues.contains("messages");
    if (!data_.user && !data_.text && !has_prompt)
      return {{field_piece(completion)}};
    if (!data_.user && !data_.text && !answers_->chat() &&
        !example.fields.contains("prompt"))
      return answers_->of(dialogue_and(example, completion));
    return answers_->of(RewardBatch{{""}, {completion}, {0}, {&example}}, 0);
  }

  // The dialogue that is the prompt, and an answer that is a text.
  static ChatTurns dialogue_and(
      const Example& example, const std::string& completion) {
    const char* field =
        example.dialogues.contains("prompt") ? "prompt" : "messages";
    const Dialogue& dialogue = example.dialogues.at(field);
    if (!dialogue.fault.empty())
      throw_caller_error("{}: {}", place_of(example), dialogue.fault);
    ChatTurns turns{.messages = dialogue.messages, .where = place_of(example)};
    turns.messages.push_back({"assistant", completion});
    return turns;
  }

  // None: too long and left out.
  std::optional<ReadText> window(
      const JudgedText& text, const Example& example, bool& cut) {
    WindowedTexts windows;
    reading_.reader->add_windows(
        text, {data_.max_tokens.value_or(0), /*overlap=*/0}, windows);
    std::size_t chosen = 0;
    if (windows.texts.size() > 1) {
      const TooLong what = tally_.too_long();
      const bool cuts =
          what == TooLong::kTruncateLeft || what == TooLong::kTruncateRight;
      if (!cuts || windows.parts > 1) {
        tally_.refuse(
            example,
            fmt::format(
                "the text is longer than the {} tokens that {}",
                data_.max_tokens.value_or(info().max_tokens),
                data_.max_tokens ? "data.max_tokens allows"
                                 : "the model reads"));
        return std::nullopt;
      }
      cut = true;
      if (what == TooLong::kTruncateLeft) chosen = windows.texts.size() - 1;
    }
    ReadText read{without_padding(windows.texts[chosen], info())};
    if (!windows.second.empty()) read.second = windows.second[chosen];
    if (read.ids.empty()) {
      throw_caller_error(
          "{}: the text is empty, and the model puts no token before it; fill "
          "in its field, or remove the row",
          place_of(example));
    }
    return read;
  }

  const RowReading& reading_;
  const RewardDataOptions& data_;
  PromptTemplate first_;
  std::optional<PromptTemplate> second_;
  std::optional<PreferenceText> answers_;
  LengthTally tally_;
  std::int64_t longest_ = 0;
};

}  // namespace

std::int64_t RewardRow::tokens() const {
  std::int64_t count = 0;
  for (const ReadText& text : texts)
    count += std::ssize(text.ids);
  return count;
}

std::vector<std::string> labels_of_rows(
    const std::vector<Example>& examples, const std::string& field) {
  std::set<std::string> found;
  for (const Example& example : examples)
    found.insert(label_text(example, field));
  std::vector<std::string> labels(found.begin(), found.end());
  if (labels.size() < 2) {
    throw_caller_error(
        "data.train: all rows have the label {}; give rows of at least two, "
        "or name the field of the labels in data.label",
        join(labels, ", "));
  }
  const auto is_number = [](const std::string& label) {
    return parse_integer(label).has_value();
  };
  if (std::ranges::all_of(labels, is_number)) {
    std::ranges::sort(labels, {}, [](const std::string& label) {
      return *parse_integer(label);
    });
  }
  return labels;
}

RewardRows encode_reward_rows(
    const std::vector<Example>& examples, const RowReading& reading) {
  return RowEncoder(reading).encode(examples);
}

}  // namespace moft
