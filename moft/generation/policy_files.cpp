// The policy directory: reading and writing.
#include <set>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/checkpoints/safetensors.h"
#include "moft/checkpoints/safetensors_writer.h"
#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/fields.h"
#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/generation/base_files.h"
#include "moft/generation/model_files.h"
#include "moft/generation/steered_policy.h"
#include "moft/tokenizers/gguf_tokenizer.h"
#include "moft/tokenizers/hf_tokenizer.h"
#include "moft/tokenizers/tokenizer_files.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

// 2: the words of conditioning.prompt are put at the prompt template's first
// field; in 1 they were put before the whole prompt. Policies without such
// words are the same in both and are written as 1.
constexpr int kPolicyFormatVersion = 2;
constexpr int kWordsBeforePromptVersion = 1;
constexpr const char* kDefinitionFile = kPolicyDefinitionFile;
constexpr const char* kSteeringFile = "steering.safetensors";

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
  std::vector<ObjectiveEntry> objectives;
  ConditioningOptions conditioning;
  double kl_strength = 0.0;
  double temperature = 1.0;
  std::string prompt_template = "{prompt}";
  std::optional<std::int64_t> steps;
  std::optional<std::int64_t> answers;
  std::map<std::string, std::string> provenance;

  template <class V>
  void fields(V& v) {
    v("format_version",
      format_version,
      Help{"version of this file's format"},
      between(1, kPolicyFormatVersion));
    v("objectives", objectives, Help{"in the order of the copies"}, Required{});
    v("conditioning", conditioning, Help{"what a steering acts on"});
    v("kl_strength", kl_strength, Help{"alpha of training"}, between(0, 1));
    v("temperature", temperature, Help{"part of the policy"}, above(0));
    v("prompt_template", prompt_template, Help{"how a prompt is made"});
    v("steps", steps, Help{"of training"}, at_least(0));
    v("answers", answers, Help{"drawn in these steps"}, at_least(0));
    v("provenance", provenance, Help{"where the policy came from"});
  }
};

std::vector<SafetensorsEntry> entries_of(
    const std::map<std::string, at::Tensor>& tensors) {
  std::vector<SafetensorsEntry> entries;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor value =
        tensor.detach().to(at::kCPU).to(at::kFloat).contiguous();
    entries.push_back({name, TensorType::kF32, value.sizes().vec(), [value] {
                         return std::as_bytes(std::span<const float>(
                             value.const_data_ptr<float>(),
                             static_cast<std::size_t>(value.numel())));
                       }});
  }
  return entries;
}

// The parts of a split file keep their numbers.
std::string gguf_name(std::size_t part, std::size_t parts) {
  return parts == 1 ? std::string("model.gguf")
                    : fmt::format("model-{:05}-of-{:05}.gguf", part + 1, parts);
}

// Everything a base needs to be loaded again: weights, configuration,
// tokenizer files. Small files are copied, so that only the weights share
// their bytes with the base.
std::vector<BaseFile> link_base(
    const fs::path& base, const LoadedModel& loaded, const fs::path& to) {
  std::vector<BaseFile> weights;
  for (const fs::path& file : loaded.weight_files) {
    weights.push_back(
        {file,
         loaded.gguf_tokenizer
             ? gguf_name(weights.size(), loaded.weight_files.size())
             : file.filename().string()});
    if (file.extension() == ".json")
      copy_whole_file(file, to / weights.back().name);
    else
      hard_link_or_copy(file, to / weights.back().name);
  }
  if (loaded.gguf_tokenizer) return weights;
  const auto copy = [&](const char* name) {
    if (fs::exists(base / name)) copy_whole_file(base / name, to / name);
  };
  copy("config.json");
  copy("generation_config.json");
  copy_tokenizer_files(base, to);
  return weights;
}

PolicyDefinition read_definition(const fs::path& file) {
  PolicyDefinition definition = definition_from_json(
      parse_json(read_text(file.string()), file.string()), file.string());
  if (definition.objectives.empty()) {
    throw_caller_error(
        "{}: lists no objectives; a policy without any is an ordinary model "
        "directory, which has no {}",
        file.string(),
        kDefinitionFile);
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

void load_steering(SteeredPolicy& policy, const fs::path& file) {
  const SafetensorsFile source(file);
  policy.conditioning()->load(
      [&](const std::string& name, const std::vector<std::int64_t>& shape) {
        return read_tensor(source, name, shape);
      });
  const auto expected = policy.conditioning()->tensor_names().size();
  if (source.names().size() != expected) {
    throw_caller_error(
        "{}: holds {} tensors, but {} describes {}; the files do not belong "
        "together",
        file.string(),
        source.names().size(),
        kDefinitionFile,
        expected);
  }
}

}  // namespace

ordered_json definition_to_json(const PolicyDefinition& definition) {
  DefinitionFile file;
  for (const auto& objective : definition.objectives) {
    file.objectives.push_back(
        {objective.name, {objective.low, objective.high}});
  }
  file.conditioning = definition.conditioning;
  if (definition.conditioning.prompt && !definition.words_before_prompt)
    file.format_version = kPolicyFormatVersion;
  file.kl_strength = definition.kl_strength;
  file.temperature = definition.temperature;
  file.prompt_template = definition.prompt_template;
  file.steps = definition.steps;
  file.answers = definition.answers;
  file.provenance = definition.provenance;
  return options_to_json(file);
}

PolicyDefinition definition_from_json(
    const json& text, const std::string& place) {
  DefinitionFile file;
  options_from_json(file, text, place);
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
  definition.steps = file.steps;
  definition.answers = file.answers;
  definition.provenance = file.provenance;
  return definition;
}

std::shared_ptr<const Tokenizer> load_base_tokenizer(
    const fs::path& path, const LoadedModel& base) {
  if (base.gguf_tokenizer) return make_tokenizer(*base.gguf_tokenizer);
  return load_tokenizer(path);
}

std::unique_ptr<SteeredPolicy> load_policy(
    const fs::path& path, const LoadOptions& options) {
  PolicyDefinition definition;
  const fs::path file = path / kDefinitionFile;
  const bool steered = fs::exists(file);
  if (steered) {
    definition = read_definition(file);
    check_base_files(path, definition.provenance);
  }
  LoadedModel base = load_language_model(path, options);
  auto tokenizer = load_base_tokenizer(path, base);
  auto policy = std::make_unique<SteeredPolicy>(
      std::move(base), std::move(tokenizer), std::move(definition));
  if (steered) load_steering(*policy, path / kSteeringFile);
  return policy;
}

void save_policy(
    const SteeredPolicy& policy,
    const fs::path& base_path,
    const fs::path& directory,
    const std::string& model_card) {
  const auto tensors = policy.conditioning()->tensors();
  std::uint64_t bytes = 1 << 20;
  for (const auto& [name, tensor] : tensors) {
    bytes += static_cast<std::uint64_t>(tensor.numel()) * sizeof(float);
  }
  require_free_space(directory, bytes);
  if (is_in_the_way(directory, kDefinitionFile)) {
    throw_caller_error(
        "{}: is in the way of the policy and has no {}, so moft did not write "
        "it; move it away",
        directory.string(),
        kDefinitionFile);
  }
  AtomicDirectory target(directory, IfExists::kReplace);
  const fs::path& building = target.building();
  const auto weights = link_base(base_path, policy.base(), building);
  write_base_files(building, weights, policy.definition().provenance);
  write_safetensors(building / kSteeringFile, entries_of(tensors));
  write_atomically(
      building / kDefinitionFile,
      definition_to_json(policy.definition()).dump(2) + "\n");
  write_atomically(building / "README.md", model_card);
  const std::set<std::string> linked = base_file_names(directory);
  target.keep_others([&](const std::string& name) {
    return is_model_file(name) || linked.contains(name);
  });
  target.commit();
}

}  // namespace moft
