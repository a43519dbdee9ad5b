// Expands paths as people write them.
#include "moft/core/paths.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include <glob.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

std::string variable(
    const std::string& name, const std::string& path, const std::string& what) {
  const char* value = std::getenv(name.c_str());
  if (value && *value) return value;
  throw_caller_error(
      "{} is {}, but the environment variable {} is {}; set it, or write the "
      "path out ('$$' for a '$' in a name)",
      what,
      quote_text(path, 200),
      name,
      value ? "empty" : "not set");
}

// Takes "NAME" or "{NAME}" at `at`, after the '$'; empty where neither is.
std::string take_name(
    const std::string& path, std::size_t& at, const std::string& what) {
  const bool braces = at < path.size() && path[at] == '{';
  std::size_t end = braces ? at + 1 : at;
  const std::size_t begin = end;
  if (!braces && end < path.size() &&
      std::isdigit(static_cast<unsigned char>(path[end])))
    return {};
  while (end < path.size() && is_name_character(path[end]))
    ++end;
  const std::string name = path.substr(begin, end - begin);
  if (braces && (end >= path.size() || path[end] != '}' || name.empty())) {
    throw_caller_error(
        "{} is {}, where '${{' names no variable; write '${{NAME}}', or '$$' "
        "for a '$' in a name",
        what,
        quote_text(path, 200));
  }
  at = braces ? end + 1 : end;
  return name;
}

// A `$` of a name that is not a variable.
bool names_unknown_variable(const std::string& path) {
  if (path.starts_with("~")) return false;
  for (std::size_t at = path.find('$'); at != std::string::npos;
       at = path.find('$', at + 1)) {
    std::size_t end = at + 1;
    while (end < path.size() && is_name_character(path[end]))
      ++end;
    const std::string name = path.substr(at + 1, end - at - 1);
    if (!name.empty() && !std::getenv(name.c_str())) return true;
  }
  return false;
}

}  // namespace

std::string expand_path(const std::string& path, const std::string& what) {
  if (path.find_first_of("~$") == std::string::npos) return path;
  std::error_code ignored;
  const bool exists = std::filesystem::exists(path, ignored);
  if (exists && (path.starts_with("/") || names_unknown_variable(path)))
    return path;
  std::string expanded;
  std::size_t at = 0;
  if (path.starts_with("~")) {
    if (path.size() > 1 && path[1] != '/') {
      throw_caller_error(
          "{} is {}; '~' alone is the home folder: write another user's out, "
          "or './~..' for such a name",
          what,
          quote_text(path, 200));
    }
    expanded = variable("HOME", path, what);
    at = 1;
  }
  while (at < path.size()) {
    const char c = path[at++];
    if (c != '$') {
      expanded += c;
    } else if (at < path.size() && path[at] == '$') {
      expanded += path[at++];
    } else {
      const std::string name = take_name(path, at, what);
      expanded += name.empty() ? "$" : variable(name, path, what);
    }
  }
  return expanded;
}

bool is_glob(const std::string& path) {
  return path.find_first_of("*?[") != std::string::npos;
}

std::vector<std::string> match_glob(const std::string& pattern) {
  glob_t found{};
  const auto stops = [](const char*, int error) {
    return error == ENOENT || error == ENOTDIR ? 0 : 1;
  };
  const int error = ::glob(pattern.c_str(), 0, stops, &found);
  std::vector<std::string> paths(
      found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  if (error != 0 && error != GLOB_NOMATCH) {
    throw_caller_error("{}: a folder of this pattern cannot be read", pattern);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace moft
