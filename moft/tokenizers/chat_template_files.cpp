// Reads chat templates from a directory's files.
#include "moft/tokenizers/chat_template_files.h"

#include "moft/core/files.h"
#include "moft/tokenizers/hf_added_tokens.h"
#include "moft/tokenizers/tokenizer_files.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUsual = "default";
constexpr const char* kUsualFile = "chat_template.jinja";
constexpr const char* kEnding = ".jinja";
constexpr const char* kKey = "chat_template";
constexpr std::uint64_t kMostTemplateBytes = 1 << 20;

ChatTemplateTexts templates_in_files(const fs::path& directory) {
  ChatTemplateTexts templates;
  for (const fs::path& file : list_tokenizer_files(directory)) {
    const bool usual = file == kUsualFile;
    const bool other = file.parent_path() == kChatTemplateFolder &&
                       file.extension() == kEnding;
    if (usual || other)
      templates[usual ? kUsual : file.stem().string()] =
          read_chat_template(directory / file);
  }
  return templates;
}

ChatTemplateTexts templates_in_config(const JsonField& config) {
  if (!config.has(kKey)) return {};
  const JsonField written = config.at(kKey);
  if (written.value().is_string()) return {{kUsual, written.text()}};
  if (!written.value().is_array())
    written.refuse("is neither a text nor a list of {name, template}");
  ChatTemplateTexts templates;
  for (std::size_t i = 0; i < written.size(); ++i) {
    const JsonField one = written.at(i);
    templates[one.at("name").text()] = one.at("template").text();
  }
  return templates;
}

}  // namespace

ChatTemplateTexts read_chat_templates(const fs::path& directory) {
  ChatTemplateTexts templates = templates_in_files(directory);
  if (!templates.empty()) return templates;
  const fs::path path = directory / "tokenizer_config.json";
  const Json json = read_optional_json(path);
  return templates_in_config(JsonField(json, path.string()));
}

std::string read_chat_template(const fs::path& file) {
  return read_text(file, kMostTemplateBytes);
}

fs::path chat_template_file(const std::string& name) {
  return name == kUsual ? fs::path(kUsualFile)
                        : fs::path(kChatTemplateFolder) / (name + kEnding);
}

}  // namespace moft
