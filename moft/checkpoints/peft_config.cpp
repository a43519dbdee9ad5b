// Reads adapter_config.json as PEFT does.
#include "moft/checkpoints/peft_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "moft/checkpoints/json_text.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/json.h"
#include "moft/core/text.h"

namespace moft {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMostBytes = 1 << 24;
constexpr double kLargestRank = 65536;

// Keys that are read, and keys that change nothing of a finished adapter.
constexpr std::array<std::string_view, 35> kKnown = {
    "alpha_pattern",
    "auto_mapping",
    "base_model_class",
    "base_model_name_or_path",
    "bias",
    "corda_config",
    "eva_config",
    "exclude_modules",
    "fan_in_fan_out",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "loftq_config",
    "lora_alpha",
    "lora_dropout",
    "lora_ga_config",
    "megatron_core",
    "modules_to_save",
    "parent_library",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "rank_pattern",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
    "unsloth_fixed",
    "use_dora",
    "use_rslora",
    "lora_bias",
    "trainable_token_indices",
    "layer_replication",
};

// Initialisations that leave the base as it is.
constexpr std::array<std::string_view, 3> kPlainStarts = {
    "gaussian", "eva", "orthogonal"};

std::string shown(const json& value) {
  return quote_text(
      value.is_string() ? value.get<std::string>() : value.dump());
}

// Null, false, zero and empty things mean the same as no key at all.
bool is_off(const json& value) {
  return value.is_null() || value == false || value == 0 ||
         ((value.is_structured() || value.is_string()) &&
          (value.empty() || value == ""));
}

[[noreturn]] void refuse(
    const std::filesystem::path& file,
    const std::string& key,
    const json& value,
    const std::string& why) {
  throw_caller_error("{}: {} is {}, {}", file.string(), key, shown(value), why);
}

json value_of(const json& config, const char* key) {
  const auto found = config.find(key);
  return found == config.end() ? json() : *found;
}

void refuse_start(const std::filesystem::path& file, const json& start) {
  if (!start.is_string()) {
    if (start.is_null() || start.is_boolean()) return;
    refuse(file, "init_lora_weights", start, "which is not a known kind");
  }
  const auto name = start.get<std::string>();
  if (std::ranges::find(kPlainStarts, name) != kPlainStarts.end()) return;
  refuse(
      file,
      "init_lora_weights",
      start,
      "which changed the base when training began, so the adapter does not fit "
      "the base's files; convert it with PEFT: save_pretrained(DIR, "
      "path_initial_model_for_weight_conversion=..)");
}

void refuse_other_computations(
    const std::filesystem::path& file, const json& config) {
  const json type = value_of(config, "peft_type");
  if (type != "LORA")
    refuse(
        file,
        "peft_type",
        type,
        "and moft reads LORA; merge the adapter with PEFT (merge_and_unload) "
        "and give the merged model");
  const json task = value_of(config, "task_type");
  if (!task.is_null() && task != "CAUSAL_LM" && task != "SEQ_2_SEQ_LM")
    refuse(
        file,
        "task_type",
        task,
        "and moft reads adapters of language models (CAUSAL_LM, "
        "SEQ_2_SEQ_LM)");
  refuse_start(file, value_of(config, "init_lora_weights"));
  for (const auto& [key, value] : config.items()) {
    if (is_off(value)) continue;
    const bool known = std::ranges::find(kKnown, key) != kKnown.end();
    const bool unread = key == "lora_bias" || key == "layer_replication" ||
                        key == "trainable_token_indices";
    if (known && !unread) continue;
    refuse(
        file,
        key,
        value,
        "which moft does not compute; merge the adapter with PEFT "
        "(merge_and_unload) and give the merged model");
  }
}

double positive(
    const std::filesystem::path& file,
    const std::string& key,
    const json& value,
    bool whole) {
  const bool number = value.is_number();
  const double read = number ? value.get<double>() : 0;
  const bool good =
      whole ? read >= 1 && read <= kLargestRank && read == std::floor(read)
            : std::isfinite(read) && read >= 0;
  if (!number || !good)
    refuse(
        file,
        key,
        value,
        whole ? "where a whole number from 1 to 65536 is needed"
              : "where a number of at least 0 is needed");
  return read;
}

// `module` is `name`, or ends with it after a dot.
bool ends_in(const std::string& module, const std::string& name) {
  return module == name || (module.ends_with(name) &&
                            module[module.size() - name.size() - 1] == '.');
}

// The first number that is a part of the name, but neither its first part nor
// its last: "model.layers.3.mlp" has 3.
std::optional<std::int64_t> number_in(
    const std::string& module, const std::vector<std::string>& before) {
  const auto parts = split(module, '.');
  for (std::size_t i = 1; i + 1 < parts.size(); ++i) {
    const auto number = parse_integer(parts[i]);
    const bool named =
        before.empty()
            ? i >= 2
            : std::ranges::find(before, parts[i - 1]) != before.end();
    if (number && *number >= 0 && named) return number;
  }
  return std::nullopt;
}

}  // namespace

PeftConfig::PeftConfig(const std::filesystem::path& file) : file_(file) {
  const std::string text = read_text(file, kMostBytes);
  const json config = parse_json_object(text, file.string());
  refuse_other_computations(file_, config);
  const json base = value_of(config, "base_model_name_or_path");
  if (base.is_string()) base_ = base.get<std::string>();
  read_ranks(config);
  const auto ordered = parse_ordered_json(text, file.string());
  rank_pattern_ = read_patterns(ordered, "rank_pattern", true);
  alpha_pattern_ = read_patterns(ordered, "alpha_pattern", false);
  targets_ = read_names(config, "target_modules");
  all_linear_ = value_of(config, "target_modules") == "all-linear";
  excluded_ = read_names(config, "exclude_modules");
  read_layers(config);
}

void PeftConfig::read_ranks(const json& config) {
  const auto flag = [&](const char* key) {
    const json value = value_of(config, key);
    if (!value.is_null() && !value.is_boolean())
      refuse(file_, key, value, "where true or false is needed");
    return value == true;
  };
  rslora_ = flag("use_rslora");
  dora_ = flag("use_dora");
  // PEFT's defaults.
  if (config.contains("r")) rank_ = positive(file_, "r", config["r"], true);
  if (config.contains("lora_alpha"))
    alpha_ = positive(file_, "lora_alpha", config["lora_alpha"], false);
}

// PEFT looks for the first pattern P of the file such that the name matches
// (.*\.)?(P)$.
std::vector<PeftConfig::PatternValue> PeftConfig::read_patterns(
    const nlohmann::ordered_json& config, const char* key, bool whole) const {
  std::vector<PatternValue> values;
  const auto patterns = config.find(key);
  if (patterns == config.end() || patterns->is_null()) return values;
  if (!patterns->is_object())
    refuse(file_, key, *patterns, "where names and numbers are needed");
  for (const auto& [name, value] : patterns->items()) {
    const std::string place = std::string(key) + "." + name;
    values.push_back(
        {Pattern(
             "^(.*\\.)?(" + name + ")$",
             file_.string() + ": " + key + " " + quote_text(name)),
         positive(file_, place, value, whole)});
  }
  return values;
}

std::optional<PeftConfig::ModuleNames> PeftConfig::read_names(
    const json& config, const char* key) const {
  const json names = value_of(config, key);
  if (names.is_null()) return std::nullopt;
  ModuleNames found;
  if (names.is_string()) {
    const auto text = names.get<std::string>();
    if (!text.empty())
      found.pattern.emplace(
          "\\A(?:" + text + ")\\z", file_.string() + ": " + key);
    return found;
  }
  const bool list =
      names.is_array() && std::ranges::all_of(names, [](const json& name) {
        return name.is_string();
      });
  if (!list)
    refuse(file_, key, names, "where a text or a list of texts is needed");
  found.names = names.get<std::vector<std::string>>();
  return found;
}

void PeftConfig::read_layers(const json& config) {
  const json layers = value_of(config, "layers_to_transform");
  const auto add = [&](const json& layer) {
    if (!layer.is_number_integer() || layer.get<std::int64_t>() < 0)
      refuse(
          file_,
          "layers_to_transform",
          layers,
          "where the numbers of layers are needed");
    layers_.push_back(layer.get<std::int64_t>());
  };
  if (layers.is_array())
    for (const json& layer : layers)
      add(layer);
  else if (!layers.is_null())
    add(layers);
  const json before = value_of(config, "layers_pattern");
  if (before.is_string() && before != "")
    layers_pattern_ = {before.get<std::string>()};
  else if (const auto names = read_names(config, "layers_pattern"))
    layers_pattern_ = names->names;
}

std::int64_t PeftConfig::rank_of(const std::string& module) const {
  for (const auto& [pattern, value] : rank_pattern_)
    if (pattern.found_in(module)) return static_cast<std::int64_t>(value);
  return static_cast<std::int64_t>(rank_);
}

double PeftConfig::scale_of(const std::string& module) const {
  const auto rank = static_cast<double>(rank_of(module));
  const auto alpha = std::ranges::find_if(
      alpha_pattern_,
      [&](const PatternValue& one) { return one.pattern.found_in(module); });
  return (alpha == alpha_pattern_.end() ? alpha_ : alpha->value) /
         (rslora_ ? std::sqrt(rank) : rank);
}

bool PeftConfig::ModuleNames::contain(const std::string& module) const {
  if (pattern) return pattern->found_in(module);
  return std::ranges::any_of(
      names, [&](const std::string& name) { return ends_in(module, name); });
}

bool PeftConfig::layer_is_chosen(const std::string& module) const {
  if (layers_.empty()) return true;
  const auto layer = number_in(module, layers_pattern_);
  return layer && std::ranges::find(layers_, *layer) != layers_.end();
}

std::optional<bool> PeftConfig::targets(
    const std::string& module, bool linear, bool output) const {
  if (!targets_) return std::nullopt;
  if (excluded_ && excluded_->contain(module)) return false;
  if (all_linear_) return linear && !output;
  if (!targets_->contain(module)) return false;
  return targets_->pattern || layer_is_chosen(module);
}

}  // namespace moft
