// Every call to a judge and its reply, as JSON lines: what was asked once is
// not asked again.
//
//   {"url": .., "request": {..}, "reply": "SUMMARY1", "prompt_tokens": 812,
//    "completion_tokens": 3, "seconds": 0.4}
//
// `request` is the body of the call; keys are not in it. A last line that a
// crash cut off is removed when the file is opened again.
//
// Thread safety: one thread; one process per file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <nlohmann/json.hpp>

namespace moft {

struct LoggedReply {
  std::string text;
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  double seconds = 0.0;
};

class JudgeLog {
 public:
  // Reads the file if it is there. CallerError for a line that is not a call.
  explicit JudgeLog(std::filesystem::path path);

  // Null when this request to this URL is not in the file.
  const LoggedReply* find(
      const std::string& url, const nlohmann::json& request) const;
  // Appends a line. WorldError when the disk refuses.
  void add(
      const std::string& url,
      const nlohmann::json& request,
      const LoggedReply& reply);

 private:
  std::filesystem::path path_;
  std::map<std::string, LoggedReply> replies_;  // by URL and request
  std::ofstream file_;
};

}  // namespace moft
