// The chat template in a model's directory.
//
// Errors: CallerError naming the file. Thread safety: pure functions over the
// file system.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "moft/data/chat_prompt.h"

namespace moft {

// None without a template. `system` is the message of dialogues that have none.
std::optional<ChatPrompt> find_model_chat(
    const std::filesystem::path& directory,
    const std::optional<std::string>& system);

}  // namespace moft
