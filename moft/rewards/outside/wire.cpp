// Calls to JSON, and answers back.
#include "moft/rewards/outside/wire.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "moft/core/json.h"
#include "moft/core/text.h"
#include "moft/rewards/reward.h"

namespace moft {
namespace {

using nlohmann::json;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::string_view kBareNumbers[] = {"-Infinity", "Infinity", "NaN"};

// Puts the names of numbers that are not finite in quotes.
std::string quote_bare_numbers(std::string_view text) {
  std::string result;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') inside = !inside;
    if (inside && text[i] == '\\' && i + 1 < text.size()) result += text[i++];
    bool bare = false;
    for (const std::string_view name : kBareNumbers) {
      if (inside || !text.substr(i).starts_with(name)) continue;
      result += '"' + std::string(name) + '"';
      i += name.size() - 1;
      bare = true;
      break;
    }
    if (!bare) result += text[i];
  }
  return result;
}

[[noreturn]] void refuse(const json& value) {
  throw std::runtime_error(fmt::format(
      "the answer holds {} where a number or null is expected",
      value.is_array()    ? fmt::format("a list of {}", value.size())
      : value.is_object() ? "an object"
                          : quote_text(dump_json(value), 80)));
}

// The deepest list or object of a text of JSON.
int depth_of(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') inside = !inside;
    if (inside && c == '\\') ++i;
    if (inside) continue;
    if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if (c == ']' || c == '}') --depth;
  }
  return deepest;
}

RewardValue value_of(const json& value) {
  if (value.is_null()) return std::nullopt;
  if (value.is_number()) return value.get<double>();
  if (value.is_boolean()) return value.get<bool>() ? 1.0 : 0.0;
  // A list of one, as a tensor of one number becomes.
  if (value.is_array() && value.size() == 1) return value_of(value.front());
  if (!value.is_string()) refuse(value);
  const auto text = value.get<std::string>();
  if (text == "NaN" || text == "nan") return kNan;
  if (text == "Infinity" || text == "inf") return kInfinity;
  if (text == "-Infinity" || text == "-inf") return -kInfinity;
  refuse(value);
}

std::vector<RewardValue> values_of(const json& list, std::size_t rows) {
  if (!list.is_array() && rows == 1) return {value_of(list)};
  if (!list.is_array()) refuse(list);
  std::vector<RewardValue> values;
  for (const json& value : list)
    values.push_back(value_of(value));
  return values;
}

const json* find(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

// Where an answer has the rewards of an output; null: nowhere.
const json* find_output(const json& reply, const std::string& name) {
  const json* rewards = find(reply, "rewards");
  if (!rewards) rewards = find(reply, "reward");
  if (name.empty()) return rewards && !rewards->is_object() ? rewards : nullptr;
  for (const json* part :
       {rewards, find(reply, "reward_components"), find(reply, "extra_logs")}) {
    if (part)
      if (const json* found = find(*part, name.c_str())) return found;
  }
  return name == "scores" ? find(reply, "scores") : nullptr;
}

// The beginning of a long text, cut between characters.
std::string beginning(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80)
    --most;
  return text.substr(0, most) + " ..";
}

void throw_error(const json& reply, std::size_t rows) {
  const json* error = find(reply, "error");
  if (!error || error->is_null()) return;
  const std::string what = beginning(
      error->is_string() ? error->get<std::string>() : dump_json(*error), 400);
  const json* row = find(reply, "row");
  if (row && row->is_number_unsigned() && row->get<std::size_t>() < rows)
    throw RewardRowError(row->get<std::size_t>(), what);
  throw std::runtime_error(what);
}

void read_metrics(const json& reply, RewardReply& result) {
  const json* metrics = find(reply, "metrics");
  if (!metrics || !metrics->is_object()) return;
  for (const auto& [name, value] : metrics->items())
    if (value.is_number()) result.metrics[name] = value.get<double>();
}

// Leaves out lists of another length.
void read_texts(const json& reply, std::size_t rows, RewardReply& result) {
  const json* texts = find(reply, "texts");
  if (!texts || !texts->is_object()) return;
  for (const auto& [name, list] : texts->items()) {
    if (!list.is_array() || list.size() != rows) continue;
    for (const json& text : list)
      result.texts[name].push_back(
          text.is_string() ? text.get<std::string>() : "");
  }
}

RewardReply read_row(const json& row, const SourceOutputs& outputs) {
  RewardReply one;
  if (row.is_object()) {
    one = read_reply(row, outputs, 1);
  } else {
    one.rewards[""] = {value_of(row)};
  }
  for (const auto& [name, values] : one.rewards) {
    if (values.size() == 1) continue;
    throw std::runtime_error(fmt::format(
        "the answer holds {} rewards for one completion", values.size()));
  }
  return one;
}

// One object, or one number, per row.
RewardReply read_rows(
    const json& reply, const SourceOutputs& outputs, std::size_t rows) {
  if (reply.size() != rows) {
    throw std::runtime_error(fmt::format(
        "the answer holds {} rewards for {} completions", reply.size(), rows));
  }
  RewardReply result;
  for (std::size_t row = 0; row < reply.size(); ++row) {
    try {
      for (const auto& [name, values] : read_row(reply[row], outputs).rewards)
        result.rewards[name].push_back(values.front());
    } catch (const std::runtime_error& error) {
      throw RewardRowError(row, error.what());
    }
  }
  return result;
}

}  // namespace

json request_json(const RewardCall& call) {
  json request;
  request["id"] = call.id;
  request["step"] = call.step;
  request["max_steps"] = call.max_steps;
  request["chat"] = !call.messages.empty();
  request["prompts"] = call.prompts;
  request["completions"] = call.completions;
  if (!call.raw_completions.empty())
    request["raw_completions"] = call.raw_completions;
  if (!call.completion_ids.empty())
    request["completion_ids"] = call.completion_ids;
  if (!call.messages.empty()) request["messages"] = call.messages;
  request["columns"] = call.columns;
  return request;
}

std::string request_text(const RewardCall& call) {
  return dump_json(request_json(call));
}

json parse_reply(std::string_view text) {
  if (depth_of(text) > kMaxJsonDepth) {
    throw std::runtime_error(fmt::format(
        "the answer has lists in lists over {} deep", kMaxJsonDepth));
  }
  json reply = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (reply.is_discarded())
    reply = json::parse(quote_bare_numbers(text), nullptr, false);
  if (reply.is_discarded()) {
    throw TransientRewardError(
        fmt::format("the answer ({} bytes) is not JSON", text.size()));
  }
  return reply;
}

RewardReply read_reply(
    const json& reply, const SourceOutputs& outputs, std::size_t rows) {
  throw_error(reply, rows);
  if (reply.is_array()) return read_rows(reply, outputs, rows);
  RewardReply result;
  if (!reply.is_object()) {
    result.rewards[""] = values_of(reply, rows);
    return result;
  }
  for (const auto& [name, about] : outputs) {
    if (const json* found = find_output(reply, name))
      result.rewards[name] = values_of(*found, rows);
  }
  read_metrics(reply, result);
  read_texts(reply, rows, result);
  return result;
}

std::string text_of(const RewardReply& reply) {
  json rewards = json::object();
  for (const auto& [name, values] : reply.rewards) {
    json& list = rewards[name] = json::array();
    for (const RewardValue& value : values)
      list.push_back(value ? json(*value) : json());
  }
  return dump_json(rewards);
}

}  // namespace moft
