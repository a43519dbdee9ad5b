// Reads and writes the chat templates of a model directory.
#include "moft/generation/chat_files.h"

#include "moft/checkpoints/gguf.h"
#include "moft/checkpoints/model_folder.h"
#include "moft/core/atomic_files.h"
#include "moft/core/files.h"
#include "moft/tokenizers/hf_added_tokens.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUsual = "default";
constexpr const char* kUsualFile = "chat_template.jinja";
constexpr const char* kOtherFolder = "additional_chat_templates";
constexpr const char* kEnding = ".jinja";
constexpr std::uint64_t kMostBytes = 1 << 20;
constexpr const char* kTokens[] = {
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token"};

std::map<std::string, std::string> templates_in_files(const fs::path& model) {
  std::map<std::string, std::string> templates;
  std::error_code none;
  if (fs::exists(model / kUsualFile, none))
    templates[kUsual] = read_text(model / kUsualFile, kMostBytes);
  for (const auto& entry : fs::directory_iterator(model / kOtherFolder, none)) {
    const fs::path file = entry.path();
    if (file.extension() == kEnding)
      templates[file.stem().string()] = read_text(file, kMostBytes);
  }
  return templates;
}

std::map<std::string, std::string> templates_in_config(
    const JsonField& config) {
  std::map<std::string, std::string> templates;
  if (!config.has("chat_template")) return templates;
  const JsonField written = config.at("chat_template");
  if (!written.value().is_array()) return {{kUsual, written.text()}};
  for (std::size_t i = 0; i < written.size(); ++i) {
    const JsonField one = written.at(i);
    templates[one.at("name").text()] = one.at("template").text();
  }
  return templates;
}

ChatSettings read_hugging_face(const fs::path& model) {
  ChatSettings chat;
  chat.templates = templates_in_files(model);
  for (const char* name :
       {"tokenizer_config.json", "special_tokens_map.json"}) {
    const Json json = read_optional_json(model / name);
    const JsonField config(json, (model / name).string());
    if (chat.templates.empty()) chat.templates = templates_in_config(config);
    for (const char* token : kTokens) {
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
  for (const auto& [name, text] : chat.templates) {
    const bool usual = name == kUsual;
    if (!usual) fs::create_directories(directory / kOtherFolder);
    write_atomically(
        usual ? directory / kUsualFile
              : directory / kOtherFolder / (name + kEnding),
        text);
  }
}

}  // namespace moft
