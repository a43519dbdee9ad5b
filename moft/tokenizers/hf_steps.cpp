// Normaliser, pre-tokenizer and decoder of a tokenizer.json.

#include "moft/tokenizers/hf_steps.h"

#include <array>

namespace moft {
namespace {

// Calls use(step) for a step, or for every step of a Sequence.
template <typename Use>
void for_each_part(const JsonField& field, const char* list, Use use) {
  if (field.type() != "Sequence") {
    use(field);
    return;
  }
  const JsonField steps = field.at(list);
  for (std::size_t i = 0; i < steps.size(); ++i)
    use(steps.at(i));
}

std::string escaped_pattern(std::string_view literal) {
  std::string pattern;
  for (const char c : literal) {
    if (std::string_view(R"(\^$.|?*+()[]{}-&#)").find(c) !=
        std::string_view::npos) {
      pattern += '\\';
    }
    pattern += c;
  }
  return pattern;
}

// -- Normaliser ------------------------------------------------------------

BertNormalizer read_bert_normalizer(const JsonField& field) {
  BertNormalizer rules;
  rules.clean_text = field.flag("clean_text", true);
  rules.space_ideographs = field.flag("handle_chinese_chars", true);
  rules.lowercase = field.flag("lowercase", true);
  rules.strip_accents = field.flag("strip_accents", rules.lowercase);
  return rules;
}

ReplaceStep read_replace(const JsonField& field) {
  ReplaceStep step;
  const JsonField pattern = field.at("pattern");
  step.by = field.at("content").text();
  if (pattern.has("Regex")) {
    step.regex = std::make_shared<const Pattern>(
        make_regex(pattern.at("Regex").text(), field.place()));
  } else {
    step.what = pattern.at("String").text();
    if (step.what.empty()) pattern.refuse("is an empty pattern");
  }
  return step;
}

StripStep read_strip(const JsonField& field) {
  return {
      .left = field.flag("strip_left", true),
      .right = field.flag("strip_right", true)};
}

std::string from_base64(const JsonField& field) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string text = field.text();
  std::array<int, 256> value_of;
  value_of.fill(-1);
  for (std::size_t i = 0; i < kDigits.size(); ++i)
    value_of[static_cast<unsigned char>(kDigits[i])] = static_cast<int>(i);
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t held = 0;
  int bits = 0;
  std::size_t end = text.find_last_not_of('=');
  end = end == std::string::npos ? 0 : end + 1;
  for (std::size_t i = 0; i < end; ++i) {
    const int value = value_of[static_cast<unsigned char>(text[i])];
    if (value < 0) field.refuse("is not base64");
    held = held << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(held >> bits & 0xff);
  }
  return bytes;
}

// Null or empty where SentencePiece has no rules.
void read_character_map(
    const JsonField& field, std::vector<NormalizerStep>& steps) {
  if (!field.has("precompiled_charsmap")) return;
  const JsonField map = field.at("precompiled_charsmap");
  const std::string bytes = from_base64(map);
  if (bytes.empty()) return;
  steps.push_back(CharacterMapStep{
      std::make_shared<const CharacterMap>(bytes, map.place())});
}

// -- Pre-tokenizer ---------------------------------------------------------

// Every mark is a piece: Unicode's, and all of ASCII's that are not letters,
// digits, blanks or control characters.
constexpr std::string_view kPunctuation = R"([\p{P}$+<=>^`|~])";

PreTokenizerStep read_split(const JsonField& field) {
  const JsonField pattern = field.at("pattern");
  PreTokenizerStep step =
      pattern.has("Regex")
          ? regex_step(pattern.at("Regex").text(), field.place())
          : regex_step(
                escaped_pattern(pattern.at("String").text()), field.place());
  const std::string behavior = field.at("behavior").text();
  const bool invert = field.flag("invert", false);
  if (behavior == "Removed") {
    step.keep_matches = invert;
    step.keep_gaps = !invert;
  } else if (behavior != "Isolated") {
    field.refuse("has a behavior moft does not have (Isolated, Removed)");
  }
  return step;
}

PreTokenizerStep read_digits(const JsonField& field) {
  PreTokenizerStep step;
  step.kind = field.flag("individual_digits", false)
                  ? PreTokenizerStep::Kind::kDigits
                  : PreTokenizerStep::Kind::kDigitRuns;
  return step;
}

void read_byte_level(const JsonField& field, PreTokenizer& steps) {
  if (field.flag("add_prefix_space", true)) {
    PreTokenizerStep step;
    step.kind = PreTokenizerStep::Kind::kPrefixSpace;
    steps.push_back(step);
  }
  if (field.flag("use_regex", true)) {
    steps.push_back(regex_step(kGpt2Pattern, field.place()));
  }
}

// Files from before 2023 say add_prefix_space instead of prepend_scheme.
PreTokenizerStep::Prefix read_prefix(const JsonField& field) {
  using Prefix = PreTokenizerStep::Prefix;
  if (!field.has("prepend_scheme")) {
    return field.flag("add_prefix_space", true) ? Prefix::kAlways
                                                : Prefix::kNever;
  }
  const JsonField scheme = field.at("prepend_scheme");
  const std::string name = scheme.text();
  if (name == "first") return Prefix::kFirst;
  if (name == "always") return Prefix::kAlways;
  if (name == "never") return Prefix::kNever;
  scheme.refuse("is not a scheme moft has (first, always, never)");
}

void check_replacement(const JsonField& field) {
  if (field.text("replacement", std::string(kWrittenSpace)) != kWrittenSpace)
    field.at("replacement").refuse("is not U+2581, which moft needs here");
}

PreTokenizerStep read_metaspace(const JsonField& field) {
  check_replacement(field);
  PreTokenizerStep step;
  step.kind = PreTokenizerStep::Kind::kMetaspace;
  step.prefix = read_prefix(field);
  step.cut = field.flag("split", true);
  return step;
}

// -- Decoder -----------------------------------------------------------------

std::size_t read_count(const JsonField& field, const char* key) {
  return field.has(key) ? static_cast<std::size_t>(field.at(key).id()) : 0;
}

DecodeStep read_decode_step(const JsonField& field) {
  DecodeStep step;
  const std::string type = field.type();
  if (type == "Replace") {
    step.what = field.at("pattern").at("String").text();
    step.by = field.at("content").text();
    if (step.what.empty()) field.refuse("replaces nothing");
  } else if (type == "ByteFallback") {
    step.kind = DecodeStep::Kind::kByteFallback;
  } else if (type == "Fuse") {
    step.kind = DecodeStep::Kind::kFuse;
  } else if (type == "Strip") {
    step.kind = DecodeStep::Kind::kStrip;
    step.what = field.at("content").text();
    if (step.what.empty()) field.refuse("strips nothing");
    step.left = read_count(field, "start");
    step.right = read_count(field, "stop");
  } else if (type == "Metaspace") {
    check_replacement(field);
    step.kind = DecodeStep::Kind::kMetaspace;
    step.drop_first = read_prefix(field) != PreTokenizerStep::Prefix::kNever;
  } else {
    field.refuse(
        "is a decoder moft does not have (ByteLevel alone; Replace, "
        "ByteFallback, Fuse, Strip, Metaspace)");
  }
  return step;
}

}  // namespace

std::vector<NormalizerStep> read_normalizer(const JsonField& root) {
  std::vector<NormalizerStep> steps;
  if (!root.has("normalizer")) return steps;
  for_each_part(
      root.at("normalizer"), "normalizers", [&](const JsonField& field) {
        const std::string type = field.type();
        if (type == "NFC") {
          steps.push_back(NormalForm::kNfc);
        } else if (type == "NFD") {
          steps.push_back(NormalForm::kNfd);
        } else if (type == "NFKC") {
          steps.push_back(NormalForm::kNfkc);
        } else if (type == "NFKD") {
          steps.push_back(NormalForm::kNfkd);
        } else if (type == "BertNormalizer") {
          steps.push_back(read_bert_normalizer(field));
        } else if (type == "Lowercase") {
          steps.push_back(BertNormalizer{
              .clean_text = false,
              .space_ideographs = false,
              .strip_accents = false,
              .lowercase = true});
        } else if (type == "Prepend") {
          steps.push_back(PrependStep{field.at("prepend").text()});
        } else if (type == "Replace") {
          steps.push_back(read_replace(field));
        } else if (type == "Strip") {
          steps.push_back(read_strip(field));
        } else if (type == "Precompiled") {
          read_character_map(field, steps);
        } else {
          field.refuse(
              "is a normalizer moft does not have (NFC, NFD, NFKC, NFKD, "
              "BertNormalizer, Lowercase, Prepend, Replace, Strip, "
              "Precompiled)");
        }
      });
  return steps;
}

PreTokenizer read_byte_level_pre_tokenizer(const JsonField& root) {
  PreTokenizer steps;
  bool byte_level = false;
  for_each_part(
      root.at("pre_tokenizer"), "pretokenizers", [&](const JsonField& field) {
        const std::string type = field.type();
        if (byte_level) field.refuse("comes after ByteLevel");
        if (type == "ByteLevel") {
          byte_level = true;
          read_byte_level(field, steps);
        } else if (type == "Split") {
          steps.push_back(read_split(field));
        } else if (type == "Digits") {
          steps.push_back(read_digits(field));
        } else {
          field.refuse(
              "is a pre-tokenizer moft does not have here (Split, Digits, "
              "ByteLevel)");
        }
      });
  if (!byte_level) {
    root.at("pre_tokenizer").refuse("has no ByteLevel step");
  }
  return steps;
}

PreTokenizer read_piece_pre_tokenizer(const JsonField& root) {
  PreTokenizer steps;
  if (!root.has("pre_tokenizer")) return steps;
  for_each_part(
      root.at("pre_tokenizer"), "pretokenizers", [&](const JsonField& field) {
        const std::string type = field.type();
        if (type == "Metaspace") {
          steps.push_back(read_metaspace(field));
        } else if (type == "WhitespaceSplit") {
          steps.emplace_back().kind = PreTokenizerStep::Kind::kWhiteSpace;
        } else if (type == "Split") {
          steps.push_back(read_split(field));
        } else if (type == "Digits") {
          steps.push_back(read_digits(field));
        } else if (type == "Punctuation") {
          if (field.text("behavior", "Isolated") != "Isolated")
            field.refuse("has a behavior moft does not have (Isolated)");
          steps.push_back(regex_step(kPunctuation, field.place()));
        } else {
          field.refuse(
              "is a pre-tokenizer moft does not have here (Metaspace, "
              "WhitespaceSplit, Split, Digits, Punctuation)");
        }
      });
  return steps;
}

TokenDecoder read_piece_decoder(const JsonField& root) {
  std::vector<DecodeStep> steps;
  for_each_part(root.at("decoder"), "decoders", [&](const JsonField& field) {
    steps.push_back(read_decode_step(field));
  });
  return TokenDecoder(std::move(steps));
}

bool is_byte_level(const JsonField& root) {
  bool found = root.has("decoder") && root.at("decoder").type() == "ByteLevel";
  if (!root.has("pre_tokenizer")) return found;
  for_each_part(
      root.at("pre_tokenizer"), "pretokenizers", [&](const JsonField& field) {
        found = found || field.type() == "ByteLevel";
      });
  return found;
}

}  // namespace moft
