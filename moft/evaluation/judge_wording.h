// The two questions that a judge of summaries is asked.
//
// The structure is that of arXiv 2407.15762, appendix D.1: an article, two
// summaries, and which of them is more concise, or better and more
// comprehensive; the answer is SUMMARY1 or SUMMARY2. The default words are our
// own. A file of another wording is YAML with the keys of JudgeWording.
//
// Thread safety: pure functions.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "moft/core/fields.h"

namespace moft {

enum class JudgeQuestion { kConcise, kQuality };
constexpr auto enum_names(JudgeQuestion) {
  return EnumNames<JudgeQuestion, 2>{{
      {JudgeQuestion::kConcise, "concise"},
      {JudgeQuestion::kQuality, "quality"},
  }};
}

struct JudgeWording {
  JudgeWording();

  std::string concise;
  std::string quality;

  template <class V>
  void fields(V& v) {
    v("concise",
      concise,
      Help{"which summary is more concise; with the slots {article}, "
           "{summary1} and {summary2}"});
    v("quality", quality, Help{"the same: which summary is better"});
  }
  // Each slot once in each question. Throws CallerError.
  void check(const std::string& path) const;

  const std::string& of(JudgeQuestion question) const {
    return question == JudgeQuestion::kConcise ? concise : quality;
  }
};

// Throws CallerError for a file that is missing or not a wording.
JudgeWording read_judge_wording(const std::filesystem::path& path);

// What the judge reads; the texts are quoted (rewards/judge_text.h).
std::string judge_prompt(
    const JudgeWording& wording,
    JudgeQuestion question,
    const std::string& article,
    const std::string& summary1,
    const std::string& summary2);

// "SUMMARY1" or "SUMMARY2": the only one of the two that the reply names after
// its last "ANSWER:", or anywhere where it has none; else "". Letter case and a
// blank before the number do not matter.
std::string_view judge_choice(std::string_view reply);

}  // namespace moft
