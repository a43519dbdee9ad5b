// What moft.json says of a conditioned policy (kind "clp"): everything that is
// not a tensor.
//
// Errors: CallerError naming the file and the key, or a kind that is another.
// Thread safety: plain data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "moft/conditioning/conditioning_options.h"
#include "moft/generation/policy.h"

namespace moft {

// A policy whose moft.json names no kind is of this one.
inline constexpr const char* kConditionedKind = "clp";
// A model without moft.json.
inline constexpr const char* kPlainKind = "plain";

struct PolicyDefinition {
  std::vector<PolicyObjective> objectives;  // empty: no knobs
  ConditioningOptions conditioning;
  double kl_strength = 0.0;  // alpha of its training
  double temperature = 1.0;
  // With {field}s; "{prompt}" for a plain model: the text as it is.
  std::string prompt_template = "{prompt}";
  // Instead of it: dialogues.
  std::optional<ChatSettings> chat;
  // Length of its training; absent in policies of older versions.
  std::optional<std::int64_t> steps;
  std::optional<std::int64_t> answers;  // completions drawn in these steps
  // With conditioning.prompt: the words go before the whole prompt, as they
  // did in policies of format 1, and not to its first field.
  bool words_before_prompt = false;
  std::map<std::string, std::string> provenance;

  PolicyInfo info() const;
};

// moft.json.
std::string definition_text(const PolicyDefinition& definition);
// `place` names the text in messages.
PolicyDefinition parse_definition(
    const std::string& text, const std::string& place);
// The moft.json of a policy directory, which has at least one objective.
PolicyDefinition read_definition(const std::filesystem::path& directory);

}  // namespace moft
