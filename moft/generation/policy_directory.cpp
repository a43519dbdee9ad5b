// Policy directories: opening, and writing them whole.
#include "moft/generation/policy_directory.h"

#include <memory>
#include <set>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "moft/checkpoints/peft_config.h"
#include "moft/checkpoints/safetensors.h"
#include "moft/checkpoints/safetensors_writer.h"
#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/generation/base_files.h"
#include "moft/generation/chat_files.h"
#include "moft/generation/export.h"
#include "moft/generation/model_files.h"
#include "moft/models/model_tensors.h"
#include "moft/tokenizers/gguf_tokenizer.h"
#include "moft/tokenizers/hf_tokenizer.h"
#include "moft/tokenizers/tokenizer_files.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefinitionFile = kPolicyDefinitionFile;
constexpr const char* kSteeringFile = "steering.safetensors";

// One tensor after the other, as they are written.
std::vector<SafetensorsEntry> entries_of(const Conditioning& conditioning) {
  std::vector<SafetensorsEntry> entries;
  const auto held = std::make_shared<at::Tensor>();
  for (std::size_t i = 0; i < conditioning.trained().size(); ++i) {
    const TrainedTensor& entry = conditioning.trained()[i];
    entries.push_back(
        {entry.name,
         TensorType::kF32,
         shape_in_files(entry),
         [&conditioning, i, held] {
           *held = at::Tensor();
           *held = conditioning.whole(i)
                       .detach()
                       .to(at::kCPU)
                       .to(at::kFloat)
                       .contiguous();
           return std::as_bytes(std::span<const float>(
               held->const_data_ptr<float>(),
               static_cast<std::size_t>(held->numel())));
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
  for (const fs::path& file : loaded.adapter_files) {
    fs::create_directories(to / kBaseAdapterFolder);
    const std::string name =
        fmt::format("{}/{}", kBaseAdapterFolder, file.filename().string());
    copy_whole_file(file, to / name);
    weights.push_back({file, name});
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

// A policy that knows its own files, which an export takes the tokenizer from.
class SavedPolicy : public SteeredPolicy {
 public:
  SavedPolicy(
      LoadedModel base,
      std::shared_ptr<const Tokenizer> tokenizer,
      PolicyDefinition definition,
      fs::path files)
      : SteeredPolicy(
            std::move(base), std::move(tokenizer), std::move(definition)),
        files_(std::move(files)) {}

  void export_model(
      const std::optional<Steering>& steering,
      const fs::path& path,
      const ExportOptions& options) const override {
    export_policy(*this, files_, steering, path, options);
  }

 private:
  fs::path files_;
};

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

std::shared_ptr<const Tokenizer> load_base_tokenizer(
    const fs::path& path, const LoadedModel& base) {
  if (base.gguf_tokenizer) return make_tokenizer(*base.gguf_tokenizer);
  return load_tokenizer(path);
}

std::unique_ptr<SteeredPolicy> load_policy(
    const fs::path& path, const LoadOptions& options) {
  PolicyDefinition definition;
  LoadOptions loading = options;
  const bool steered = fs::exists(path / kDefinitionFile);
  if (steered) {
    definition = read_definition(path);
    check_base_files(path, definition.provenance);
    if (options.adapter) {
      throw_caller_error(
          "{}: is a trained policy, into which no adapter can be merged; give "
          "the adapter with its base",
          path.string());
    }
    if (fs::exists(path / kBaseAdapterFolder / kAdapterConfigFile))
      loading.adapter = path / kBaseAdapterFolder;
  }
  LoadedModel base = load_language_model(path, loading);
  auto tokenizer = load_base_tokenizer(path, base);
  auto policy = std::make_unique<SavedPolicy>(
      std::move(base), std::move(tokenizer), std::move(definition), path);
  if (steered) load_steering(*policy, path / kSteeringFile);
  return policy;
}

void save_policy(
    const SteeredPolicy& policy,
    const fs::path& base_path,
    const fs::path& directory,
    const std::string& model_card) {
  const Conditioning& conditioning = *policy.conditioning();
  std::uint64_t bytes = 1 << 20;
  for (const fs::path& file : policy.base().adapter_files)
    bytes += fs::file_size(file);
  for (const TrainedTensor& entry : conditioning.trained())
    bytes += static_cast<std::uint64_t>(entry.numel()) * sizeof(float);
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
  if (policy.definition().chat)
    write_chat_templates(*policy.definition().chat, building);
  write_base_files(building, weights, policy.definition().provenance);
  write_safetensors(building / kSteeringFile, entries_of(conditioning));
  write_atomically(
      building / kDefinitionFile, definition_text(policy.definition()));
  write_atomically(building / "README.md", model_card);
  const std::set<std::string> linked = base_file_names(directory);
  target.keep_others([&](const std::string& name) {
    return is_model_file(name) || linked.contains(name);
  });
  target.commit();
}

}  // namespace moft
