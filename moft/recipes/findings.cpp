// Collects problems, warnings and notes.
#include "moft/recipes/findings.h"

#include <algorithm>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/log.h"

namespace moft {

bool Findings::attempt(const std::function<void()>& check) {
  try {
    check();
    return true;
  } catch (const CallerError& error) {
    problem(error.what());
  } catch (const WorldError& error) {
    problem(error.what());
  }
  return false;
}

void Findings::problem(std::string sentence) {
  // One file may be read as two parts of the data.
  if (std::find(problems_.begin(), problems_.end(), sentence) ==
      problems_.end())
    problems_.push_back(std::move(sentence));
}

void Findings::warn(std::string sentence) {
  warnings_.push_back(std::move(sentence));
}

void Findings::note(std::string what, std::string found) {
  notes_.emplace_back(std::move(what), std::move(found));
}

void Findings::settle() const {
  if (!problems_.empty()) {
    throw_caller_error(
        "{}{}",
        problems_.front(),
        problems_.size() == 1
            ? std::string()
            : fmt::format(
                  " ({} more: `moft recipe check` lists them)",
                  problems_.size() - 1));
  }
  for (const std::string& sentence : warnings_)
    log_warning("{}", sentence);
}

}  // namespace moft
