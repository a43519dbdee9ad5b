// Templates of the texts that a reward judges: {completion} is the answer,
// {prompt} the example's field of that name or, without one, the prompt as the
// model saw it, {name} any other field of the example.
//
// Thread safety: immutable after construction.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "moft/data/prompt_template.h"
#include "moft/rewards/reward.h"

namespace moft {

class RewardTemplate {
 public:
  // CallerError as PromptTemplate's.
  explicit RewardTemplate(const std::string& text) : template_(text) {}

  // The fields that it needs of every example.
  std::vector<std::string> example_fields() const;
  bool uses_prompt() const;
  // Filled for a row whose answer, or the part of it to judge, is `completion`.
  // CallerError where {prompt} would be nothing.
  std::vector<PromptPiece> fill(
      const RewardBatch& batch,
      std::size_t row,
      const std::string& completion) const;

 private:
  PromptTemplate template_;
};

// The fields that templates need of every example, those that are given.
// CallerError for one that is not well-formed.
std::vector<std::string> template_fields(
    const std::vector<std::optional<std::string>>& templates);

// Settings of what is judged: one text or a pair; the whole text or messages.
// CallerError, which begins with `path`, for both at once, and for a hypothesis
// alone.
void check_text_or_pair(
    const std::string& path,
    const std::optional<std::string>& text,
    const std::optional<std::string>& premise,
    const std::optional<std::string>& hypothesis);
void check_text_or_messages(
    const std::string& path,
    const std::optional<std::string>& text,
    const std::optional<std::string>& user,
    const std::optional<std::string>& system);

}  // namespace moft
