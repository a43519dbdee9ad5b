#include "moft/data/encode_prompt.h"

#include <string>
#include <string_view>
#include <utility>

namespace moft {
namespace {

constexpr EncodeOptions kWithMarkup{
    .parse_special = true, .add_special = false};
constexpr EncodeOptions kPlainText{
    .parse_special = false, .add_special = false};

// Collects the current run of ordinary text and turns it into ids whenever
// one of the template's special tokens ends it.
class RunEncoder {
 public:
  explicit RunEncoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void add_field(std::string_view text) { run_ += text; }

  // The template's words: the tokenizer says which special tokens they hold,
  // in order; each is found again by its written form.
  void add_template(std::string_view text) {
    for (const TokenId id : tokenizer_.encode(text, kWithMarkup)) {
      if (!tokenizer_.is_special(id)) continue;
      const std::string written = tokenizer_.token_bytes(id);
      const std::size_t at = text.find(written);
      // An unknown-word token is special too, but nobody wrote it.
      if (written.empty() || at == std::string_view::npos) continue;
      run_ += text.substr(0, at);
      end_run();
      ids_.push_back(id);
      text.remove_prefix(at + written.size());
    }
    run_ += text;
  }

  std::vector<TokenId> finish() {
    end_run();
    return std::move(ids_);
  }

 private:
  void end_run() {
    if (run_.empty()) return;
    EncodeOptions options = kPlainText;
    options.at_start = ids_.empty();
    const auto ids = tokenizer_.encode(run_, options);
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    run_.clear();
  }

  const Tokenizer& tokenizer_;
  std::string run_;
  std::vector<TokenId> ids_;
};

bool puts_bos_first(const Tokenizer& tokenizer) {
  const auto added = tokenizer.encode("", EncodeOptions{});
  return tokenizer.bos() && !added.empty() && added.front() == *tokenizer.bos();
}

}  // namespace

std::vector<TokenId> encode_pieces(
    std::span<const PromptPiece> pieces, const Tokenizer& tokenizer) {
  RunEncoder encoder(tokenizer);
  for (const PromptPiece& piece : pieces) {
    if (piece.from_field) {
      encoder.add_field(piece.text);
    } else {
      encoder.add_template(piece.text);
    }
  }
  std::vector<TokenId> ids = encoder.finish();
  if (puts_bos_first(tokenizer) &&
      (ids.empty() || ids.front() != *tokenizer.bos())) {
    ids.insert(ids.begin(), *tokenizer.bos());
  }
  const auto end = tokenizer.prompt_end();
  if (end && (ids.empty() || ids.back() != *end)) ids.push_back(*end);
  return ids;
}

std::vector<TokenId> encode_prompt(
    const PromptTemplate& prompt,
    const Example& example,
    const Tokenizer& tokenizer) {
  return encode_pieces(prompt.fill(example), tokenizer);
}

}  // namespace moft
