// Finds a model's chat template and its special tokens.
#include "moft/rewards/model_chat.h"

#include "moft/tokenizers/chat_template_files.h"
#include "moft/tokenizers/hf_added_tokens.h"

namespace moft {

std::optional<ChatPrompt> find_model_chat(
    const std::filesystem::path& directory,
    const std::optional<std::string>& system) {
  ChatSettings settings;
  settings.templates = read_chat_templates(directory);
  if (settings.templates.empty()) return std::nullopt;
  settings.system = system;
  const auto path = directory / "tokenizer_config.json";
  const Json json = read_optional_json(path);
  const JsonField config(json, path.string());
  for (const char* token :
       {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token"}) {
    if (const auto text = read_token_text(config, token))
      settings.special_tokens.emplace(token, *text);
  }
  return ChatPrompt(std::move(settings));
}

}  // namespace moft
