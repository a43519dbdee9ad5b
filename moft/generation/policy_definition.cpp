// moft.json: reading, writing, and the policy that it describes.
#include "moft/generation/policy_definition.h"

#include <set>

#include "moft/conditioning/prompt_prefix.h"
#include "moft/core/errors.h"
#include "moft/core/fields.h"
#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/generation/model_files.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

// 2: the words of conditioning.prompt are put at the prompt template's first
// field; in 1 they were put before the whole prompt. Policies without such
// words are the same in both and are written as 1. 3: prompts are dialogues
// (`chat`).
constexpr int kPolicyFormatVersion = 3;
constexpr int kWordsInsideVersion = 2;
constexpr int kWordsBeforePromptVersion = 1;

// What one objective looks like in moft.json.
struct ObjectiveEntry {
  std::string name;
  std::vector<double> range{0.0, 1.0};

  template <class V>
  void fields(V& v) {
    v("name", name, Help{"the objective's name"}, Required{});
    v("range", range, Help{"the raw rewards mapped to 0 and 1"}, Count{2});
  }
};

struct DefinitionFile {
  std::int64_t format_version = kWordsBeforePromptVersion;
  std::string kind = kConditionedKind;
  std::vector<ObjectiveEntry> objectives;
  ConditioningOptions conditioning;
  double kl_strength = 0.0;
  double temperature = 1.0;
  std::string prompt_template = "{prompt}";
  std::optional<ChatSettings> chat;
  std::optional<std::int64_t> steps;
  std::optional<std::int64_t> answers;
  std::map<std::string, std::string> provenance;

  template <class V>
  void fields(V& v) {
    v("format_version",
      format_version,
      Help{"version of this file's format"},
      between(1, kPolicyFormatVersion));
    v("kind", kind, Help{"kind of policy"});
    v("objectives", objectives, Help{"in the order of the copies"}, Required{});
    v("conditioning", conditioning, Help{"what a steering acts on"});
    v("kl_strength", kl_strength, Help{"alpha of training"}, between(0, 1));
    v("temperature", temperature, Help{"part of the policy"}, above(0));
    v("prompt_template", prompt_template, Help{"how a prompt is made"});
    v("chat", chat, Help{"how a dialogue becomes a prompt"});
    v("steps", steps, Help{"of training"}, at_least(0));
    v("answers", answers, Help{"drawn in these steps"}, at_least(0));
    v("provenance", provenance, Help{"where the policy came from"});
  }
};

// A plain model's template "{prompt}" takes prompts as they are.
PromptFormat format_of(
    const PolicyDefinition& definition, const std::vector<std::string>& names) {
  const std::string& text = definition.prompt_template;
  std::optional<PromptWords> words;
  const auto& conditioning = definition.conditioning.prompt;
  if (conditioning && !names.empty()) {
    words = PromptWords{
        prompt_names(*conditioning, names, "conditioning.prompt"),
        conditioning->repetitions,
        definition.words_before_prompt};
  }
  if (definition.chat) return PromptFormat(*definition.chat, words);
  if (names.empty() && text == PromptFormat().text()) return PromptFormat();
  return PromptFormat(text, words);
}

}  // namespace

PolicyInfo PolicyDefinition::info() const {
  const bool steered = !objectives.empty();
  PolicyInfo info;
  info.kind = steered ? kConditionedKind : kPlainKind;
  info.objectives = objectives;
  info.kl_range = steered ? moft::kl_range(conditioning, kl_strength)
                          : KlRange::fixed(kl_strength);
  info.default_alpha = kl_strength;
  info.alpha_acts = steered && conditioning.steered_set != SteeredSet::kNone;
  info.words_alone =
      steered && conditioning.prompt && conditioning.prompt->common_adapter;
  info.temperature = temperature;
  info.prompt = format_of(*this, objective_names(info));
  info.steps = steps;
  info.answers = answers;
  info.provenance = provenance;
  return info;
}

std::string definition_text(const PolicyDefinition& definition) {
  DefinitionFile file;
  for (const auto& objective : definition.objectives) {
    file.objectives.push_back(
        {objective.name, {objective.low, objective.high}});
  }
  file.conditioning = definition.conditioning;
  if (definition.conditioning.prompt && !definition.words_before_prompt)
    file.format_version = kWordsInsideVersion;
  if (definition.chat) file.format_version = kPolicyFormatVersion;
  file.chat = definition.chat;
  file.kl_strength = definition.kl_strength;
  file.temperature = definition.temperature;
  file.prompt_template = definition.prompt_template;
  file.steps = definition.steps;
  file.answers = definition.answers;
  file.provenance = definition.provenance;
  return options_to_json(file).dump(2) + "\n";
}

PolicyDefinition parse_definition(
    const std::string& text, const std::string& place) {
  const nlohmann::json json = parse_json(text, place);
  if (json.is_object() &&
      json.value("kind", nlohmann::json(kConditionedKind)) !=
          kConditionedKind) {
    throw_caller_error(
        "{}: kind is {}, which has no copies to read; give a policy of kind "
        "'{}', which `moft train` makes",
        place,
        json.at("kind").dump(),
        kConditionedKind);
  }
  DefinitionFile file;
  options_from_json(file, json, place);
  check_options(file, place);
  PolicyDefinition definition;
  for (const ObjectiveEntry& entry : file.objectives) {
    definition.objectives.push_back(
        {entry.name, entry.range[0], entry.range[1]});
  }
  definition.conditioning = file.conditioning;
  definition.words_before_prompt =
      file.conditioning.prompt.has_value() &&
      file.format_version == kWordsBeforePromptVersion;
  definition.kl_strength = file.kl_strength;
  definition.temperature = file.temperature;
  definition.prompt_template = file.prompt_template;
  definition.chat = file.chat;
  definition.steps = file.steps;
  definition.answers = file.answers;
  definition.provenance = file.provenance;
  return definition;
}

PolicyDefinition read_definition(const fs::path& directory) {
  const fs::path file = directory / kPolicyDefinitionFile;
  PolicyDefinition definition =
      parse_definition(read_text(file.string()), file.string());
  if (definition.objectives.empty()) {
    throw_caller_error(
        "{}: lists no objectives; a policy without any is an ordinary model "
        "directory, which has no {}",
        file.string(),
        kPolicyDefinitionFile);
  }
  std::set<std::string> names;
  for (const PolicyObjective& objective : definition.objectives) {
    if (!names.insert(objective.name).second) {
      throw_caller_error(
          "{}: objective '{}' is listed twice", file.string(), objective.name);
    }
  }
  return definition;
}

}  // namespace moft
