// The file of calls, read and appended to.
#include "moft/evaluation/judge_log.h"

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/core/log.h"

namespace moft {
namespace {

using nlohmann::json;

std::string key_of(const std::string& url, const json& request) {
  return url + "\n" + dump_json(request);
}

std::int64_t count_of(const json& line, const char* name) {
  const json& count = line.at(name);
  if (!count.is_number_unsigned()) throw std::out_of_range(name);
  return count.get<std::int64_t>();
}

LoggedReply reply_of(const json& line) {
  return {
      line.at("reply").get<std::string>(),
      count_of(line, "prompt_tokens"),
      count_of(line, "completion_tokens"),
      line.at("seconds").get<double>()};
}

}  // namespace

JudgeLog::JudgeLog(std::filesystem::path path) : path_(std::move(path)) {
  if (std::filesystem::exists(path_)) {
    const std::string text = read_text(path_);
    std::size_t begin = 0;
    for (std::size_t number = 1;; ++number) {
      const std::size_t end = text.find('\n', begin);
      if (end == text.npos) break;
      const std::string place = fmt::format("{}:{}", path_.string(), number);
      const json line = parse_json(text.substr(begin, end - begin), place);
      begin = end + 1;
      try {
        replies_[key_of(
            line.at("url").get<std::string>(), line.at("request"))] =
            reply_of(line);
      } catch (const std::exception&) {
        throw_caller_error(
            "{}: the line is not a call of a judge; give another --log", place);
      }
    }
    if (begin < text.size()) {
      log_warning("{}: removed a last line that was cut off", path_.string());
      std::filesystem::resize_file(path_, begin);
    }
  }
  file_.open(path_, std::ios::app | std::ios::binary);
  if (!file_) throw_world_error("{}: cannot be written", path_.string());
}

const LoggedReply* JudgeLog::find(
    const std::string& url, const json& request) const {
  const auto found = replies_.find(key_of(url, request));
  return found == replies_.end() ? nullptr : &found->second;
}

void JudgeLog::add(
    const std::string& url, const json& request, const LoggedReply& reply) {
  nlohmann::ordered_json line;
  line["url"] = url;
  line["request"] = request;
  line["reply"] = reply.text;
  line["prompt_tokens"] = reply.prompt_tokens;
  line["completion_tokens"] = reply.completion_tokens;
  line["seconds"] = reply.seconds;
  file_ << dump_json(line) + "\n" << std::flush;
  if (!file_) {
    throw_world_error(
        "{}: cannot be written; free space on its disk", path_.string());
  }
  replies_[key_of(url, request)] = reply;
}

}  // namespace moft
