// The JSON of calls and their answers.
//
// A call, on one line:
//   {"id": 7, "step": 3, "max_steps": 40, "chat": false,
//    "prompts": [..], "completions": [..], "raw_completions": [..],
//    "completion_ids": [[..]], "messages": [[{"role": .., "content": ..}]],
//    "columns": {"post": [..]}}
// with one entry per row in every list; "messages" where the prompts are chat
// messages. Its answer:
//   {"id": 7, "rewards": {"tidy": [0.5, null]}, "metrics": {"name": 1.0},
//    "texts": {"name": ["a remark", null]}}
//   {"id": 7, "error": "ValueError: ..", "row": 1}
//
// Servers answer in more ways; read_reply() takes
//   {"rewards": [..]}  {"rewards": {name: [..]}}        (OpenRLHF; several)
//   {"rewards": [..], "scores": [..], "extra_logs": {name: [..]}}
//   {"reward": .., "reward_components": {name: ..}}     (one row, or lists)
//   a list of such objects, one per row; a list of numbers; a number.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "moft/rewards/outside/reward_source.h"

namespace moft {

nlohmann::json request_json(const RewardCall& call);
// The same as one line, without its end.
std::string request_text(const RewardCall& call);

// JSON in which NaN, Infinity and -Infinity may be numbers, as Python writes
// them; they become texts. Throws TransientRewardError for what is cut or is
// not JSON, without quoting it.
nlohmann::json parse_reply(std::string_view text);

// The outputs' rewards; "" is the only output of an answer without names.
// Throws std::runtime_error for a reward that is not a number, naming it, and
// RewardRowError for an error that names a row, or a row's part of the answer
// that is not one. A name that is not there is left out.
RewardReply read_reply(
    const nlohmann::json& reply,
    const SourceOutputs& outputs,
    std::size_t rows);

// For logs: {"tidy": [0.5, null]}.
std::string text_of(const RewardReply& reply);

}  // namespace moft
