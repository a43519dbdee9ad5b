// What GGUF files leave unsaid about their tokenizer.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace moft {

class GgufMetadata;

// llama.cpp's number of a token that is markup, not text.
inline constexpr std::int32_t kControlToken = 3;

// Whether llama.cpp puts the begin token before a prompt when the file has no
// `add_bos_token`: always for SentencePiece and WordPiece, for byte-pair
// encoding by the pre-tokenizer's name.
bool adds_bos_by_default(std::string_view model, std::string_view pre);

// Whether a token of this text ends a completion whatever the metadata say.
bool ends_completions(std::string_view text, std::int32_t type);

// `tokenizer.chat_template` as "default", `tokenizer.chat_template.<name>` by
// name. CallerError for a name that is not a plain file name.
std::map<std::string, std::string> chat_templates(const GgufMetadata& file);

}  // namespace moft
