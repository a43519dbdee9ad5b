// The table of policy kinds, and opening by it.
#include "moft/generation/policy_kinds.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/core/text.h"
#include "moft/generation/bank.h"
#include "moft/generation/logit_mixture.h"
#include "moft/generation/model_files.h"
#include "moft/generation/personalised_soup.h"
#include "moft/generation/policy_definition.h"
#include "moft/generation/policy_directory.h"
#include "moft/generation/policy_start.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

PolicyKind conditioned_kind() {
  return {
      kConditionedKind,
      [](const fs::path& directory) {
        return read_definition(directory).info();
      },
      [](const fs::path& directory, const LoadOptions& options) {
        return load_policy(directory, options);
      }};
}

std::vector<PolicyKind>& table() {
  static std::vector<PolicyKind> kinds{
      conditioned_kind(),
      logit_mixture_kind(LogitMixture::kDera),
      logit_mixture_kind(LogitMixture::kMod),
      bank_kind(),
      personalised_soup_kind()};
  return kinds;
}

std::vector<PolicyKind>::iterator find(const std::string& name) {
  return std::find_if(
      table().begin(), table().end(), [&](const PolicyKind& kind) {
        return kind.name == name;
      });
}

const PolicyKind& kind_of(const fs::path& directory) {
  const std::string file = (directory / kPolicyDefinitionFile).string();
  const nlohmann::json json = parse_json(read_text(file), file);
  std::string name = kConditionedKind;
  if (json.is_object() && json.contains("kind")) {
    const auto& kind = json["kind"];
    name = kind.is_string() ? kind.get<std::string>() : kind.dump();
  }
  const auto found = find(name);
  if (found != table().end()) return *found;
  std::vector<std::string> known;
  for (const PolicyKind& kind : table())
    known.push_back(kind.name);
  throw_caller_error(
      "{}: kind is {}; this program opens {}; use one that knows the kind",
      file,
      quote_text(name),
      join(known, ", "));
}

}  // namespace

void register_policy_kind(PolicyKind kind) {
  if (find(kind.name) != table().end()) {
    throw_caller_error(
        "a policy kind '{}' is registered already; choose another name",
        kind.name);
  }
  table().push_back(std::move(kind));
}

std::unique_ptr<Policy> open_policy(
    const fs::path& path, const PolicyOpening& opening) {
  std::unique_ptr<Policy> policy;
  const auto trained = trained_policy_at(path);
  if (trained && fs::is_directory(path)) {
    policy = kind_of(*trained).open(*trained, opening.load);
  } else if (opening.chat) {
    policy = open_reference(
        path, {{}, opening.chat}, /*temperature=*/1.0, opening.load);
  } else {
    policy = load_policy(path, opening.load);
  }
  policy->expect_steerings(opening.steerings);
  return policy;
}

PolicyInfo describe_policy(const fs::path& directory) {
  return kind_of(directory).describe(directory);
}

std::unique_ptr<Policy> open_reference(
    const fs::path& model,
    const PromptSpec& prompt,
    double temperature,
    const LoadOptions& options) {
  LoadedModel base = load_language_model(model, options);
  auto tokenizer = load_base_tokenizer(model, base);
  PolicyDefinition definition;
  definition.prompt_template = prompt.prompt_template;
  definition.chat = prompt.chat;
  definition.temperature = temperature;
  return std::make_unique<SteeredPolicy>(
      std::move(base), std::move(tokenizer), definition);
}

}  // namespace moft
