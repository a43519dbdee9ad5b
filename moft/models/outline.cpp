// A model whose parameters have shapes and no numbers.
#include "moft/models/outline.h"

#include <string>
#include <vector>

#include "moft/checkpoints/json_text.h"
#include "moft/checkpoints/model_folder.h"
#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/models/families.h"

namespace moft {

namespace fs = std::filesystem;

bool has_weights(const fs::path& path) {
  if (find_model(path).gguf) return true;
  return has_entry(path / "model.safetensors") ||
         has_entry(path / "model.safetensors.index.json");
}

std::unique_ptr<LanguageModel> outline_language_model(
    const fs::path& directory) {
  const fs::path file = directory / "config.json";
  refuse_known_folder(directory);
  if (!has_entry(file)) {
    throw_caller_error(
        "{}: holds no config.json; give the folder of a model, or one that "
        "holds its config.json alone",
        directory.string());
  }
  const std::string place = file.string();
  const nlohmann::json config = parse_json_object(read_text(file), place);
  const FindParameter nowhere = [](const std::string& name,
                                   const std::vector<std::int64_t>&) {
    return kernels::RowSource([name](std::int64_t, std::int64_t, float*) {
      TORCH_CHECK(false, "[outline] the numbers of ", name, " are not here");
    });
  };
  return family_of_config(config, place).make(config, place, nowhere, {});
}

}  // namespace moft
