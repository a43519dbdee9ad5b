// Finds a model's files and the family that reads them.
#include "moft/models/load.h"

#include "moft/checkpoints/gguf.h"
#include "moft/checkpoints/model_folder.h"
#include "moft/models/families.h"
#include "moft/models/merged_adapter.h"

namespace moft {
namespace {

LoadedModel load_gguf(
    const std::filesystem::path& path, const LoadOptions& options) {
  // The mapping lives as long as parameters may be read from it.
  const auto file = std::make_shared<const GgufFile>(path);
  GgufModel gguf = family_of_gguf(*file).load_gguf(file, options);
  LoadedModel loaded;
  loaded.model = std::move(gguf.model);
  loaded.config = std::move(gguf.config);
  loaded.gguf_tokenizer = file->tokenizer_data();
  loaded.weight_files = file->paths();
  return loaded;
}

LoadedModel load_hugging_face(
    const std::filesystem::path& path, const LoadOptions& options) {
  SavedModel saved(path);
  const ModelFamily& family = family_of_config(saved.config(), saved.place());
  LoadedModel loaded;
  loaded.model = family.load_saved(saved, options);
  loaded.config = saved.corrected();
  loaded.weight_files = saved.files()->weight_files();
  return loaded;
}

LoadedModel load_base(
    const std::filesystem::path& path, const LoadOptions& options) {
  const ModelPlace model = find_model(path);
  return model.gguf ? load_gguf(model.path, options)
                    : load_hugging_face(model.path, options);
}

}  // namespace

LoadedModel load_language_model(
    const std::filesystem::path& path, const LoadOptions& options) {
  if (!options.adapter) return load_base(path, options);
  MergedAdapter adapter(*options.adapter);
  LoadOptions merging = options;
  merging.change = [&](const std::string& name,
                       const std::vector<std::int64_t>& shape,
                       kernels::RowSource rows) {
    return adapter.change(name, shape, std::move(rows));
  };
  LoadedModel loaded = load_base(path, merging);
  adapter.check_used(loaded.model->steerable());
  loaded.adapter_files = adapter.files();
  return loaded;
}

}  // namespace moft
