// `moft soup --model BASE --adapter NAME=DIR ..`.
#include "cli/adapter_soup.h"

#include <algorithm>

#include "moft/core/errors.h"
#include "moft/core/paths.h"
#include "moft/core/text.h"
#include "moft/core/version.h"
#include "moft/generation/adapter_start.h"
#include "moft/generation/policy_directory.h"
#include "moft/recipes/run_inputs.h"
#include "moft/rewards/reward_options.h"

#include "cli/result.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

struct NamedText {
  std::string name;
  std::string text;
};

// "name=text".
NamedText parse_named(const std::string& given, const char* flag) {
  const std::size_t at = given.find('=');
  const std::string name = given.substr(0, at);
  if (at == std::string::npos || !is_objective_name(name)) {
    throw_caller_error(
        "{} is {}; give the objective's name (letters, digits and _), an "
        "equals sign and the value",
        flag,
        quote_text(given));
  }
  return {name, given.substr(at + 1)};
}

fs::path adapter_path(const NamedText& adapter) {
  return expand_path(adapter.text, "--adapter");
}

void set_range(std::vector<PolicyObjective>& objectives, const NamedText& one) {
  const auto found =
      std::ranges::find(objectives, one.name, &PolicyObjective::name);
  const auto bounds = split(one.text, ',');
  const auto low = parse_real(bounds.front());
  const auto high = parse_real(bounds.back());
  if (found == objectives.end() || bounds.size() != 2 || !low || !high ||
      *low == *high) {
    throw_caller_error(
        "--range is {}; give an objective that has an --adapter and its two "
        "raw rewards, which differ: {}=0,1",
        quote_text(one.name + "=" + one.text),
        objectives.front().name);
  }
  found->low = *low;
  found->high = *high;
}

}  // namespace

void AdapterSoup::declare(Parser& parser) {
  parser_ = &parser;
  parser.add_path(
      "--model",
      model_,
      "With --adapter: the base of the adapters, a Hugging Face directory or a "
      "GGUF file");
  parser
      .add_option(
          "--adapter",
          adapters_,
          "Instead of RUNS: a PEFT LoRA directory for each objective")
      .type_name("NAME=DIR")
      .default_text("");
  parser
      .add_option(
          "--range",
          ranges_,
          "With --adapter: the raw rewards of an objective that count as 0 and "
          "1 (default: 0,1)")
      .type_name("NAME=LOW,HIGH")
      .default_text("");
  parser
      .add_option(
          "--prompt-template",
          prompt_template_,
          "With --adapter: the prompt, with {name} for a field (default: "
          "{prompt})")
      .default_text("");
  chat_.declare_chat(parser);
}

bool AdapterSoup::given() const {
  return !model_.empty() || !adapters_.empty() || !ranges_.empty() ||
         !prompt_template_.empty() || chat_.wants_chat();
}

std::vector<PolicyObjective> AdapterSoup::objectives() const {
  if (model_.empty() || adapters_.empty()) {
    parser_->throw_usage(
        "--model and --adapter belong together; give both, or RUNS");
  }
  std::vector<PolicyObjective> objectives;
  for (const std::string& given : adapters_) {
    const NamedText adapter = parse_named(given, "--adapter");
    if (std::ranges::find(objectives, adapter.name, &PolicyObjective::name) !=
        objectives.end()) {
      throw_caller_error(
          "--adapter names objective '{}' twice; give one adapter for each "
          "objective",
          adapter.name);
    }
    objectives.push_back({.name = adapter.name});
  }
  for (const std::string& given : ranges_)
    set_range(objectives, parse_named(given, "--range"));
  std::ranges::sort(objectives, {}, &PolicyObjective::name);
  return objectives;
}

std::unique_ptr<SteeredPolicy> AdapterSoup::mix() const {
  PolicyDefinition definition;
  definition.objectives = objectives();
  definition.chat = chat_.chat_of(model_);
  if (!prompt_template_.empty()) {
    if (definition.chat) {
      throw_caller_error(
          "--prompt-template is for texts, and --chat, --chat-template and "
          "--system are for dialogues; give one of the two");
    }
    definition.prompt_template = prompt_template_;
  }
  definition.conditioning.steered_set = SteeredSet::kLora;
  definition.conditioning.alpha_min = 0.0;
  definition.conditioning.f_mix = FMix::kLinear;
  LoadedModel base = load_language_model(model_);
  auto tokenizer = load_base_tokenizer(model_, base);
  RunInputs inputs;
  inputs.add_model("base", base);
  inputs.add_tokenizer("base ", model_);
  Adapters adapters;
  for (const std::string& given : adapters_) {
    const NamedText adapter = parse_named(given, "--adapter");
    const fs::path path = adapter_path(adapter);
    adapters.emplace(adapter.name, PeftAdapter(path));
    inputs.add_file("adapter " + adapter.name, path / kAdapterWeightsFile);
  }
  definition.conditioning.lora =
      lora_of_adapters(adapters, base.model->steerable());
  definition.provenance = {
      {"recipe", "soup of adapters"},
      {"base", fs::path(model_).filename().string()},
      {"moft", MOFT_VERSION_STRING}};
  add_provenance(inputs.hashes(), definition.provenance);
  auto policy = std::make_unique<SteeredPolicy>(
      std::move(base), std::move(tokenizer), std::move(definition));
  start_from_adapters(*policy, adapters);
  return policy;
}

std::string AdapterSoup::card(const SteeredPolicy& policy) const {
  const auto names = policy.names();
  std::string text = fmt::format(
      "---\nlibrary_name: moft\nbase_model: {}\ntags: [steerable]\n---\n\n"
      "# Soup of adapters\n\nA rewarded soup: LoRA adapters that were trained "
      "elsewhere, side by side on one base and mixed by weight with each "
      "request. Nothing was trained here; alpha is the amount of the base that "
      "is mixed in, 0 unless given.\n\n| objective | adapter |\n|---|---|\n",
      fs::path(model_).filename().string());
  for (const std::string& given : adapters_) {
    const NamedText adapter = parse_named(given, "--adapter");
    text += fmt::format(
        "| {} | {} |\n",
        adapter.name,
        adapter_path(adapter).filename().string());
  }
  return text +
         fmt::format(
             "\n```\nmoft generate . --weights {} --prompt TEXT\nmoft sweep . "
             "--prompt TEXT\n```\n",
             format_weighting(Weighting::uniform(names.size()), names));
}

void AdapterSoup::print() const {
  for (const std::string& given : adapters_) {
    const NamedText adapter = parse_named(given, "--adapter");
    print_result("{:<20} {}\n", adapter.name, adapter_path(adapter).string());
  }
}

}  // namespace moft
