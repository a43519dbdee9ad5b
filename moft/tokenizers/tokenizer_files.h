// The files of a Hugging Face directory that make its tokenizer and its chat
// template: what a policy and an export must keep so that the text that goes
// in stays the text that was meant.
//
// Thread safety: pure functions over the file system.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace moft {

// Where transformers keeps the chat templates beside the usual one.
inline constexpr const char* kChatTemplateFolder = "additional_chat_templates";

// By its name: tokenizer.json, tokenizer.model, spiece.model, vocab.json,
// merges.txt, added_tokens.json, special_tokens_map.json, chat_template.jinja
// and their like.
bool is_tokenizer_file(const std::string& name);

// Paths relative to `directory`, sorted: its tokenizer files and the chat
// templates in additional_chat_templates/. Files alone, links followed.
std::vector<std::filesystem::path> list_tokenizer_files(
    const std::filesystem::path& directory);

// Copies them, so that a later change of the originals changes nothing.
// WorldError when that fails.
void copy_tokenizer_files(
    const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace moft
