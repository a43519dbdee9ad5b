// The chat templates among a Hugging Face directory's files, as texts by name:
// "default" is the usual one.
//
// Errors: CallerError naming the file and the key.
// Thread safety: pure functions over the file system.
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace moft {

// Jinja by name.
using ChatTemplateTexts = std::map<std::string, std::string>;

// As transformers reads them: chat_template.jinja and
// additional_chat_templates/<name>.jinja where there are any, else
// `chat_template` of tokenizer_config.json, which is a text or a list of
// {"name": .., "template": ..}.
ChatTemplateTexts read_chat_templates(const std::filesystem::path& directory);

// The text of one Jinja file, which may have 1 MiB.
std::string read_chat_template(const std::filesystem::path& file);

// The file of a template, relative to its directory.
std::filesystem::path chat_template_file(const std::string& name);

}  // namespace moft
