// The table of model families and its look-ups.
#include "moft/models/families.h"

#include <algorithm>

#include "moft/core/errors.h"
#include "moft/core/text.h"
#include "moft/models/gemma/family.h"
#include "moft/models/llama/family.h"
#include "moft/models/t5/family.h"

namespace moft {
namespace {

std::vector<ModelFamily>& table() {
  static std::vector<ModelFamily> families{
      llama_family(), gemma_family(), t5_family()};
  return families;
}

using Names = std::vector<std::string>;

// The names of all families, in the order of the table.
template <typename Select>
Names names_of(Select select) {
  Names names;
  for (const ModelFamily& family : table()) {
    const Names some = select(family);
    names.insert(names.end(), some.begin(), some.end());
  }
  return names;
}

template <typename Select>
const ModelFamily* find(const std::string& name, Select select) {
  for (const ModelFamily& family : table()) {
    const Names names = select(family);
    if (std::ranges::find(names, name) != names.end()) return &family;
  }
  return nullptr;
}

Names model_types(const ModelFamily& family) {
  return family.model_types;
}

Names architectures(const ModelFamily& family) {
  return family.gguf_architectures;
}

}  // namespace

void register_family(ModelFamily family) {
  for (const std::string& type : family.model_types) {
    TORCH_CHECK(
        find(type, model_types) == nullptr,
        "[families] model_type ",
        type,
        " is registered already");
  }
  table().push_back(std::move(family));
}

const ModelFamily& family_of_config(
    const nlohmann::json& config, const std::string& place) {
  const auto found = config.find("model_type");
  const bool text = found != config.end() && found->is_string();
  const std::string type = text ? found->get<std::string>() : "";
  if (const ModelFamily* family = find(type, model_types)) return *family;
  throw_caller_error(
      "{}: model_type '{}' is not supported; moft runs {}",
      place,
      type,
      listed(names_of(model_types)));
}

const ModelFamily& family_of_gguf(const GgufFile& file) {
  const std::string name = file.text("general.architecture");
  if (const ModelFamily* family = find(name, architectures)) return *family;
  throw_caller_error(
      "{}: architecture '{}' is not supported; moft runs {}",
      file.describe(),
      name,
      listed(names_of(architectures)));
}

const ModelFamily& family_of(RandomFamily family) {
  return table().at(static_cast<std::size_t>(family));
}

std::vector<std::pair<RandomFamily, std::string>> enum_names(RandomFamily) {
  std::vector<std::pair<RandomFamily, std::string>> names;
  for (std::size_t i = 0; i < table().size(); ++i)
    names.emplace_back(RandomFamily(i), table()[i].name);
  return names;
}

RandomFamily random_family(const std::string& name) {
  Names names;
  for (const auto& [family, known] : enum_names(RandomFamily())) {
    if (known == name) return family;
    names.push_back(known);
  }
  throw_caller_error(
      "'{}' is not a family of models; give one of {}",
      name,
      join(names, ", "));
}

}  // namespace moft
