// Adapters of policies as PEFT directories and GGUF files.
#include "moft/generation/export_adapter.h"

#include <algorithm>
#include <set>

#include <ATen/core/grad_mode.h>

#include "moft/checkpoints/peft_adapter.h"
#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/generation/export_gguf.h"
#include "moft/generation/export_parts.h"
#include "moft/generation/model_files.h"
#include "moft/models/model_tensors.h"

namespace moft {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

// B A is what is added to the module's weight.
struct Update {
  std::string module;
  at::Tensor down;  // A [rank, in]
  at::Tensor up;    // B [out, rank]
};

void check_exportable(const SteeredPolicy& policy) {
  constexpr const char* kCure =
      "export the whole model (--format hf, or gguf for llama.cpp)";
  if (policy.conditioning() == nullptr)
    throw_caller_error("a plain model has no adapter to export; {}", kCure);
  const SteeredSet set = policy.definition().conditioning.steered_set;
  if (set != SteeredSet::kLora)
    throw_caller_error(
        "the policy's copies are whole parameters (steered_set: {}), which are "
        "not an adapter; {}",
        enum_name(set),
        kCure);
}

// The adapter that is merged into the policy's base, if any: the base without
// it is what the copies are an adapter on.
std::optional<PeftAdapter> base_adapter(const SteeredPolicy& policy) {
  const auto& files = policy.base().adapter_files;
  if (files.empty()) return std::nullopt;
  PeftAdapter adapter(files.front().parent_path());
  bool plain = adapter.whole().empty();
  for (const auto& [module, update] : adapter.updates())
    plain = plain && !update.magnitude && !update.embedding;
  if (plain) return adapter;
  throw_caller_error(
      "{}: the adapter of the policy's base is not plain LoRA (DoRA, "
      "modules_to_save, biases or an embedding table), so base and copies are "
      "not one adapter; export the whole model (--format hf or gguf)",
      adapter.tensors().describe());
}

// Copies with weight, as places in the policy; one at least, since a rank of 0
// is not an adapter.
std::vector<std::int64_t> copies_with_weight(
    const Coefficients& c, std::int64_t objectives) {
  std::vector<std::int64_t> copies;
  for (std::int64_t i = 0; i < objectives; ++i)
    if (c.copy(static_cast<std::size_t>(i)) != 0.0) copies.push_back(i);
  if (copies.empty()) copies.push_back(0);
  return copies;
}

struct Factors {
  std::vector<at::Tensor> downs;
  std::vector<at::Tensor> ups;  // B, with all factors

  void add(const at::Tensor& down, const at::Tensor& up, double factor) {
    downs.push_back(down.to(at::kCPU));
    ups.push_back((up.to(at::kCPU).to(at::kDouble) * factor).to(at::kFloat));
  }
};

void add_copies(
    const LowRankAdapters& adapters, const Coefficients& c, Factors& factors) {
  for (const std::int64_t i : copies_with_weight(c, adapters.objectives())) {
    const double factor =
        c.copy(static_cast<std::size_t>(i)) * adapters.scale();
    factors.add(adapters.down(i), adapters.up(i).t(), factor);
  }
}

// One rank for all modules, as vLLM needs it: rows of zeros are added.
void pad(std::vector<Update>& updates) {
  std::int64_t rank = 0;
  for (const Update& update : updates)
    rank = std::max(rank, update.down.size(0));
  for (Update& update : updates) {
    const std::int64_t missing = rank - update.down.size(0);
    if (missing == 0) continue;
    const auto zeros = [&](std::int64_t rows, std::int64_t columns) {
      return at::zeros({rows, columns}, at::kFloat);
    };
    update.down = at::cat({update.down, zeros(missing, update.down.size(1))});
    update.up = at::cat({update.up, zeros(update.up.size(0), missing)}, 1);
  }
}

// The base's own adapter counts once, whatever the weighting: weights sum to 1.
std::vector<Update> updates_under(
    const SteeredPolicy& policy, const Coefficients& c) {
  at::NoGradGuard no_gradient;
  const std::optional<PeftAdapter> base = base_adapter(policy);
  std::vector<Update> updates;
  for (const auto& entry : policy.base().model->steerable().linears) {
    Factors factors;
    const LowRankAdapters* copies =
        static_cast<const SteeredLinear*>(entry.linear)->adapters();
    if (copies != nullptr) add_copies(*copies, c, factors);
    if (base && base->updates().contains(entry.name)) {
      const AdapterUpdate& own = base->updates().at(entry.name);
      const auto read = [&](const TensorView& view) {
        return read_tensor(base->tensors(), view.name, view.shape);
      };
      factors.add(read(own.down), read(own.up), own.scale);
    }
    if (factors.downs.empty()) continue;
    updates.push_back(
        {entry.name,
         at::cat(factors.downs, 0).contiguous(),
         at::cat(factors.ups, 1).contiguous()});
  }
  pad(updates);
  return updates;
}

// What adapters change as PEFT names it: by the last part of the name where
// every module of that name is changed, else in full.
std::vector<std::string> target_modules(
    const SteeredPolicy& policy, const std::vector<Update>& updates) {
  const auto last = [](const std::string& name) {
    return name.substr(name.rfind('.') + 1);
  };
  std::set<std::string> changed, names;
  for (const Update& update : updates) {
    changed.insert(update.module);
    names.insert(last(update.module));
  }
  for (const auto& entry : policy.base().model->steerable().linears) {
    if (!changed.contains(entry.name) && names.contains(last(entry.name)))
      return {changed.begin(), changed.end()};
  }
  return {names.begin(), names.end()};
}

std::string base_name(
    const SteeredPolicy& policy, const ExportOptions& options) {
  if (!options.base_name.empty()) return options.base_name;
  const auto& known = policy.definition().provenance;
  const auto found = known.find("base");
  return found == known.end() ? std::string() : found->second;
}

// The keys that every version of PEFT knows: old ones refuse new keys.
ordered_json peft_config(
    const SteeredPolicy& policy,
    const std::vector<Update>& updates,
    const ExportOptions& options) {
  const bool two_stacks = policy.base().model->steerable().stacks.size() > 1;
  const std::int64_t rank = updates.front().down.size(0);
  ordered_json config;
  config["peft_type"] = "LORA";
  config["task_type"] = two_stacks ? "SEQ_2_SEQ_LM" : "CAUSAL_LM";
  config["base_model_name_or_path"] = base_name(policy, options);
  config["revision"] = nullptr;
  config["r"] = rank;
  config["lora_alpha"] = rank;
  config["lora_dropout"] = 0.0;
  config["target_modules"] = target_modules(policy, updates);
  config["bias"] = "none";
  config["fan_in_fan_out"] = false;
  config["inference_mode"] = true;
  config["init_lora_weights"] = true;
  config["layers_to_transform"] = nullptr;
  config["layers_pattern"] = nullptr;
  config["modules_to_save"] = nullptr;
  config["rank_pattern"] = ordered_json::object();
  config["alpha_pattern"] = ordered_json::object();
  return config;
}

}  // namespace

void export_peft(
    const SteeredPolicy& policy,
    const fs::path& policy_path,
    const std::optional<Steering>& steering,
    const fs::path& directory,
    const ExportOptions& options) {
  check_exportable(policy);
  const auto updates = updates_under(policy, policy.coefficients_of(steering));
  std::vector<SafetensorsEntry> entries;
  for (const Update& update : updates) {
    const std::string name = "base_model.model." + update.module;
    entries.push_back(float_entry(name + ".lora_A.weight", update.down));
    entries.push_back(float_entry(name + ".lora_B.weight", update.up));
  }
  make_folder_of(directory);
  AtomicDirectory target(directory, IfExists::kRefuse);
  const fs::path& building = target.building();
  write_safetensors(
      building / kAdapterWeightsFile, std::move(entries), {{"format", "pt"}});
  write_atomically(
      building / kAdapterConfigFile,
      peft_config(policy, updates, options).dump(2) + "\n");
  write_atomically(
      building / kExportNoteFile, export_note(policy, steering).dump(2) + "\n");
  write_text_files(policy, policy_path, building);
  target.commit();
}

void export_gguf_adapter(
    const SteeredPolicy& policy,
    const std::optional<Steering>& steering,
    const fs::path& file) {
  check_exportable(policy);
  const GgufLayout layout = gguf_layout_of(policy);
  refuse_existing(file);
  const auto updates = updates_under(policy, policy.coefficients_of(steering));
  GgufValues values;
  values.add_text("general.architecture", layout.architecture);
  values.add_text("general.type", "adapter");
  values.add_u32("general.file_type", 0);  // float32
  values.add_text("adapter.type", "lora");
  values.add_f32(
      "adapter.lora.alpha", static_cast<double>(updates.front().down.size(0)));
  values.add_text("moft.export", export_note(policy, steering).dump());
  if (const auto& chat = policy.definition().chat)
    add_chat_templates(chat->templates, values);
  std::vector<SafetensorsEntry> tensors;
  for (const Update& update : updates) {
    const GgufPlace place = layout.place(update.module + ".weight").value();
    tensors.push_back(float_entry(place.name + ".lora_a", update.down));
    tensors.push_back(
        float_entry(place.name + ".lora_b", in_gguf_rows(update.up, place)));
  }
  make_folder_of(file);
  write_gguf(file, values, tensors);
}

}  // namespace moft
