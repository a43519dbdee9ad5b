// A model's chat templates and the special tokens that they read, from its
// files: where transformers looks for them, or from GGUF metadata.
//
// Errors: CallerError naming the file.
// Thread safety: pure functions over the file system.
#pragma once

#include <filesystem>

#include "moft/data/chat_settings.h"

namespace moft {

// The templates of a directory (tokenizers/chat_template_files.h), or
// `tokenizer.chat_template` of a GGUF file. `templates` is empty for a model
// without one.
ChatSettings read_chat_settings(const std::filesystem::path& model);

// Writes the templates where transformers reads them first; others that were
// there are removed.
void write_chat_templates(
    const ChatSettings& chat, const std::filesystem::path& directory);

}  // namespace moft
