// Sorts the tensors of a PEFT adapter by the modules that they change.
#include "moft/checkpoints/peft_adapter.h"

#include <set>

#include <fmt/ranges.h>

#include "moft/core/errors.h"
#include "moft/core/text.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMergeFirst =
    "merge the adapter with PEFT (merge_and_unload) and give the merged model";

std::string without(std::string text, std::string_view part) {
  const std::size_t at = text.find(part);
  if (at != std::string::npos) text.erase(at, part.size());
  return text;
}

// What a tensor's name says: "<module>.lora_A.default.weight".
struct TensorPlace {
  std::string module;   // or the parameter's name, of a whole one
  std::string kind;     // "lora_A", ..; empty: a whole parameter
  std::string adapter;  // "default" in files of old versions
};

TensorPlace place_of(const std::string& name) {
  std::string rest = name;
  for (std::string_view prefix : {"base_model.model.", "base_model."}) {
    if (!rest.starts_with(prefix)) continue;
    rest = rest.substr(prefix.size());
    break;
  }
  const std::size_t at = rest.rfind(".lora_");
  if (at == std::string::npos)
    return {without(std::move(rest), ".base_layer"), "", ""};
  std::vector<std::string> parts = split(rest.substr(at + 1), '.');
  TensorPlace place{rest.substr(0, at), parts.front(), ""};
  parts.erase(parts.begin());
  if (!parts.empty() && parts.back() == "weight") parts.pop_back();
  if (!parts.empty() && parts.back() == "bias") place.kind += ".bias";
  if (!parts.empty()) place.adapter = join(parts, ".");
  return place;
}

std::string shape_text(const TensorView& view) {
  return fmt::format("[{}]", fmt::join(view.shape, ", "));
}

void check_numbers(const std::string& where, const TensorView& view) {
  switch (view.type) {
    case TensorType::kF64:
    case TensorType::kF32:
    case TensorType::kF16:
    case TensorType::kBF16:
      return;
    default:
      throw_caller_error(
          "{}: tensor {} holds {}, where floating-point numbers are needed",
          where,
          quote_text(view.name, 200),
          tensor_type_info(view.type).name);
  }
}

std::shared_ptr<const SafetensorsFile> open_weights(const fs::path& directory) {
  std::error_code ignored;
  const fs::path file = directory / kAdapterWeightsFile;
  const fs::path pickle = directory / "adapter_model.bin";
  if (!fs::exists(file, ignored) && fs::exists(pickle, ignored))
    throw_caller_error(
        "{}: is read by Python alone; save the adapter again with PEFT: "
        "PeftModel.from_pretrained(BASE, DIR).save_pretrained(DIR) writes {}",
        pickle.string(),
        kAdapterWeightsFile);
  return std::make_shared<const SafetensorsFile>(file);
}

// Says why no adapter was found. Trainers often save adapters in subfolders of
// the output folder that people give.
std::string no_adapter(const fs::path& directory) {
  std::error_code error;
  if (!fs::is_directory(directory, error)) return "it is not a directory";
  std::string reason = fmt::format("it has no {}", kAdapterConfigFile);
  std::set<std::string> below;
  for (fs::directory_iterator entry(directory, error), end;
       !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    if (fs::exists(entry->path() / kAdapterConfigFile, ignored))
      below.insert(quote_text(entry->path().filename().string(), 200));
  }
  if (!below.empty())
    reason += fmt::format(", but {} in it has", fmt::join(below, " and "));
  return reason;
}

PeftConfig open_config(const fs::path& directory) {
  std::error_code ignored;
  const fs::path file = directory / kAdapterConfigFile;
  if (!fs::exists(file, ignored))
    throw_caller_error(
        "{}: is not a PEFT adapter ({}); give the directory that "
        "save_pretrained wrote",
        directory.string(),
        no_adapter(directory));
  return PeftConfig(file);
}

}  // namespace

struct PeftAdapter::Halves {
  std::map<std::string, TensorView> by_kind;

  const TensorView* find(const std::string& kind) const {
    const auto found = by_kind.find(kind);
    return found == by_kind.end() ? nullptr : &found->second;
  }
};

PeftAdapter::PeftAdapter(const fs::path& directory)
    : directory_(directory),
      config_(open_config(directory)),
      tensors_(open_weights(directory)) {
  sort_tensors();
  if (updates_.empty() && whole_.empty())
    throw_caller_error(
        "{}: holds no tensors; the adapter was not saved whole, save it again",
        tensors_->describe());
}

std::vector<fs::path> PeftAdapter::files() const {
  return {directory_ / kAdapterConfigFile, directory_ / kAdapterWeightsFile};
}

void PeftAdapter::sort_tensors() {
  const std::string where = tensors_->describe();
  std::map<std::string, Halves> modules;
  std::set<std::string> adapters;
  for (const std::string& name : tensors_->names()) {
    const TensorView view = *tensors_->find(name);
    check_numbers(where, view);
    const TensorPlace place = place_of(name);
    if (name.find("token_adapter") != std::string::npos ||
        name.find("original_module") != std::string::npos ||
        place.kind.ends_with(".bias"))
      throw_caller_error(
          "{}: tensor {} belongs to a kind of adapter that moft does not "
          "compute; {}",
          where,
          quote_text(name, 200),
          kMergeFirst);
    adapters.insert(place.adapter);
    const bool fresh =
        place.kind.empty()
            ? whole_.emplace(place.module, view).second
            : modules[place.module].by_kind.emplace(place.kind, view).second;
    if (!fresh)
      throw_caller_error(
          "{}: two tensors are {} of {}; save the adapter again",
          where,
          place.kind.empty() ? "the parameter" : place.kind,
          quote_text(place.module, 200));
  }
  adapters.erase("");
  if (adapters.size() > 1)
    throw_caller_error(
        "{}: holds the adapters {}; save each into a directory of its own",
        where,
        fmt::join(adapters, " and "));
  for (const auto& [module, halves] : modules)
    updates_.emplace(module, update_of(module, halves));
}

AdapterUpdate PeftAdapter::update_of(
    const std::string& module, const Halves& halves) const {
  const std::string where = tensors_->describe();
  AdapterUpdate update;
  update.embedding = halves.find("lora_embedding_A") != nullptr ||
                     halves.find("lora_embedding_B") != nullptr;
  const std::string stem = update.embedding ? "lora_embedding_" : "lora_";
  const TensorView* down = halves.find(stem + "A");
  const TensorView* up = halves.find(stem + "B");
  const TensorView* magnitude = halves.find("lora_magnitude_vector");
  const std::size_t known = 2 + (magnitude != nullptr ? 1 : 0);
  if (down == nullptr || up == nullptr || halves.by_kind.size() != known)
    throw_caller_error(
        "{}: module {} has {}, where {}A and {}B are needed; the adapter was "
        "not saved whole, or is of a kind that moft does not compute",
        where,
        quote_text(module, 200),
        fmt::join(
            [&] {
              std::vector<std::string> kinds;
              for (const auto& [kind, view] : halves.by_kind)
                kinds.push_back(kind);
              return kinds;
            }(),
            " and "),
        stem,
        stem);
  const std::int64_t rank = config_.rank_of(module);
  const bool matrices = down->shape.size() == 2 && up->shape.size() == 2;
  if (!matrices || down->shape[0] != rank || up->shape[1] != rank)
    throw_caller_error(
        "{}: module {} has A of shape {} and B of shape {}, but {} gives it "
        "rank {}; the two files do not belong together",
        where,
        quote_text(module, 200),
        shape_text(*down),
        shape_text(*up),
        kAdapterConfigFile,
        rank);
  if ((magnitude != nullptr) != config_.dora() ||
      (magnitude != nullptr && update.embedding))
    throw_caller_error(
        "{}: module {} {} magnitudes of DoRA, but {} says use_dora: {}{}",
        where,
        quote_text(module, 200),
        magnitude != nullptr ? "has" : "has no",
        kAdapterConfigFile,
        config_.dora(),
        update.embedding ? " (on an embedding table, which moft does not read)"
                         : "");
  update.down = *down;
  update.up = *up;
  update.scale = config_.scale_of(module);
  if (magnitude != nullptr) update.magnitude = *magnitude;
  return update;
}

void PeftAdapter::check_modules(
    const std::vector<AdaptableModule>& base) const {
  std::set<std::string> known;
  for (const AdaptableModule& module : base) {
    known.insert(module.name);
    const auto targeted =
        config_.targets(module.name, module.linear, module.output);
    const bool there = updates_.contains(module.name);
    if (!targeted || *targeted == there) continue;
    throw_caller_error(
        "{}: {} module '{}', which target_modules of {} {}; the two files do "
        "not belong together, save the adapter again",
        tensors_->describe(),
        there ? "changes" : "lacks",
        module.name,
        kAdapterConfigFile,
        there ? "leaves out" : "names");
  }
  for (const auto& [module, update] : updates_) {
    if (known.contains(module)) continue;
    throw_caller_error(
        "{}: changes module {}, which the base does not have; give the base "
        "that the adapter was trained on{}",
        tensors_->describe(),
        quote_text(module, 200),
        config_.base().empty() ? ""
                               : " (" + quote_text(config_.base(), 200) + ")");
  }
}

}  // namespace moft
