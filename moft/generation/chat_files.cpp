// Reads and writes the chat templates of a model directory.
#include "moft/generation/chat_files.h"

#include "moft/checkpoints/gguf.h"
#include "moft/checkpoints/model_folder.h"
#include "moft/core/atomic_files.h"
#include "moft/tokenizers/chat_template_files.h"
#include "moft/tokenizers/hf_added_tokens.h"
#include "moft/tokenizers/tokenizer_files.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

ChatSettings read_hugging_face(const fs::path& model) {
  ChatSettings chat;
  chat.templates = read_chat_templates(model);
  for (const char* name :
       {"tokenizer_config.json", "special_tokens_map.json"}) {
    const Json json = read_optional_json(model / name);
    const JsonField config(json, (model / name).string());
    for (const char* token : kNamedTokens) {
      if (const auto text = read_token_text(config, token))
        chat.special_tokens.try_emplace(token, *text);
    }
  }
  return chat;
}

ChatSettings read_gguf(const fs::path& file) {
  const GgufTokenizerData data = GgufFile(file).tokenizer_data();
  ChatSettings chat;
  chat.templates = data.chat_templates;
  const auto add = [&](const char* name, std::optional<std::int32_t> id) {
    if (id)
      chat.special_tokens[name] = data.tokens.at(static_cast<std::size_t>(*id));
  };
  add("bos_token", data.bos);
  add("eos_token", data.eos);
  add("pad_token", data.pad);
  add("unk_token", data.unknown);
  return chat;
}

}  // namespace

ChatSettings read_chat_settings(const fs::path& model) {
  const ModelPlace place = find_model(model);
  return place.gguf ? read_gguf(place.path) : read_hugging_face(place.path);
}

void write_chat_templates(const ChatSettings& chat, const fs::path& directory) {
  fs::remove_all(directory / kChatTemplateFolder);
  for (const auto& [name, text] : chat.templates) {
    const fs::path file = directory / chat_template_file(name);
    fs::create_directories(file.parent_path());
    write_atomically(file, text);
  }
}

}  // namespace moft
