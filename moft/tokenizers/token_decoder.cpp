// From written tokens back to text.
#include "moft/tokenizers/token_decoder.h"

#include <algorithm>

#include <fmt/format.h>

#include "moft/tokenizers/byte_bpe.h"
#include "moft/tokenizers/normalizer.h"
#include "moft/tokenizers/pre_tokenizer.h"
#include "moft/tokenizers/unicode.h"

namespace moft {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void decode_bytes(std::vector<std::string>& tokens) {
  std::vector<std::string> result;
  std::string run;
  const auto end_run = [&] {
    if (run.empty()) return;
    if (is_utf8(run)) {
      result.push_back(run);
    } else {
      result.insert(result.end(), run.size(), "\ufffd");
    }
    run.clear();
  };
  for (std::string& token : tokens) {
    if (const auto byte = byte_of_token(token)) {
      run += *byte;
      continue;
    }
    end_run();
    result.push_back(std::move(token));
  }
  end_run();
  tokens = std::move(result);
}

void fuse(std::vector<std::string>& tokens) {
  std::string joined;
  for (const std::string& token : tokens)
    joined += token;
  tokens = {std::move(joined)};
}

void join_byte_level(std::vector<std::string>& tokens) {
  std::string joined;
  for (const std::string& token : tokens)
    joined += bytes_of_written(token).value_or(token);
  tokens = {is_utf8(joined) ? joined : replace_invalid_utf8(joined)};
}

void strip_token(const DecodeStep& step, std::string& token) {
  std::string_view rest = token;
  for (std::size_t i = 0; i < step.left && rest.starts_with(step.what); ++i)
    rest.remove_prefix(step.what.size());
  for (std::size_t i = 0; i < step.right && rest.ends_with(step.what); ++i)
    rest.remove_suffix(step.what.size());
  token = std::string(rest);
}

}  // namespace

std::optional<char> byte_of_token(std::string_view written) {
  if (written.size() != 6 || !written.starts_with("<0x") ||
      written.back() != '>') {
    return std::nullopt;
  }
  const int high = hex_digit(written[3]);
  const int low = hex_digit(written[4]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high * 16 + low);
}

ByteTokens::ByteTokens(const Vocabulary& vocabulary) {
  for (std::size_t byte = 0; byte < ids_.size(); ++byte)
    ids_[byte] = vocabulary.find(fmt::format("<0x{:02X}>", byte)).value_or(-1);
}

bool ByteTokens::complete() const {
  return std::find(ids_.begin(), ids_.end(), -1) == ids_.end();
}

bool ByteTokens::append(
    std::string_view text, std::vector<TokenId>& ids) const {
  const std::size_t before = ids.size();
  for (const char byte : text) {
    const TokenId id = ids_[static_cast<unsigned char>(byte)];
    if (id < 0) {
      ids.resize(before);
      return false;
    }
    ids.push_back(id);
  }
  return true;
}

std::string TokenDecoder::decode(std::vector<std::string> tokens) const {
  for (const DecodeStep& step : steps_) {
    switch (step.kind) {
      case DecodeStep::Kind::kReplace:
        for (std::string& token : tokens)
          replace_in_text(token, step.what, step.by);
        break;
      case DecodeStep::Kind::kByteFallback:
        decode_bytes(tokens);
        break;
      case DecodeStep::Kind::kFuse:
        fuse(tokens);
        break;
      case DecodeStep::Kind::kStrip:
        for (std::string& token : tokens)
          strip_token(step, token);
        break;
      case DecodeStep::Kind::kMetaspace:
        for (std::size_t i = 0; i < tokens.size(); ++i) {
          const bool drop = i == 0 && step.drop_first;
          replace_in_text(tokens[i], kWrittenSpace, drop ? "" : " ");
        }
        break;
      case DecodeStep::Kind::kByteLevel:
        join_byte_level(tokens);
        break;
    }
  }
  fuse(tokens);
  return tokens[0];
}

std::string TokenDecoder::bytes(std::string_view written) const {
  std::string bytes(written);
  for (const DecodeStep& step : steps_) {
    if (step.kind == DecodeStep::Kind::kReplace) {
      replace_in_text(bytes, step.what, step.by);
    } else if (step.kind == DecodeStep::Kind::kMetaspace) {
      replace_in_text(bytes, kWrittenSpace, " ");
    } else if (step.kind == DecodeStep::Kind::kByteFallback) {
      if (const auto byte = byte_of_token(bytes)) return {*byte};
    } else if (step.kind == DecodeStep::Kind::kByteLevel) {
      bytes = bytes_of_written(bytes).value_or(bytes);
    }
  }
  return bytes;
}

TokenDecoder llama_decoder(bool strip) {
  std::vector<DecodeStep> steps(3);
  steps[0].what = kWrittenSpace;
  steps[0].by = " ";
  steps[1].kind = DecodeStep::Kind::kByteFallback;
  steps[2].kind = DecodeStep::Kind::kFuse;
  if (strip) {
    DecodeStep& last = steps.emplace_back();
    last.kind = DecodeStep::Kind::kStrip;
    last.what = " ";
    last.left = 1;
  }
  return TokenDecoder(std::move(steps));
}

TokenDecoder byte_level_decoder() {
  std::vector<DecodeStep> steps(1);
  steps[0].kind = DecodeStep::Kind::kByteLevel;
  return TokenDecoder(std::move(steps));
}

}  // namespace moft
