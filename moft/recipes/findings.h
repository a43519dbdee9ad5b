// What a check of a recipe has found: problems, warnings, and notes on what is
// good.
//
// Thread safety: one thread.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace moft {

class Findings {
 public:
  // Runs a check; what it throws becomes a problem. False then.
  bool attempt(const std::function<void()>& check);
  void problem(std::string sentence);
  void warn(std::string sentence);
  void note(std::string what, std::string found);

  bool good() const { return problems_.empty(); }
  const std::vector<std::string>& problems() const { return problems_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  // (what, found) pairs: ("model", "llama, 134515008 parameters").
  const std::vector<std::pair<std::string, std::string>>& notes() const {
    return notes_;
  }
  // Logs the warnings. CallerError with the first problem.
  void settle() const;

 private:
  std::vector<std::string> problems_;
  std::vector<std::string> warnings_;
  std::vector<std::pair<std::string, std::string>> notes_;
};

}  // namespace moft
