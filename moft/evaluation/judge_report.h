// What a judge found, for machines and for the terminal.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/evaluation/judging.h"

namespace moft {

// Two runs that were compared.
struct JudgedPair {
  std::string a;
  std::string b;
  std::vector<std::string> ids;  // of the articles
  std::vector<ArticleVerdict> verdicts;
  JudgeSummary summary;
};

// The pair's names, every figure of the summary, and one line per article: its
// id, the four answers and the winner.
nlohmann::ordered_json judged_pair_json(const JudgedPair& pair);
nlohmann::ordered_json judge_usage_json(const JudgeUsage& usage);

// Four lines.
std::string judged_pair_text(const JudgedPair& pair);

}  // namespace moft
