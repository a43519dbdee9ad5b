#include "tests/tokenizers/support.h"

#include <fstream>

#include <gtest/gtest.h>

namespace moft::testing {
namespace {

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(
        static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

std::string case_text(const Json& parts) {
  std::string text;
  for (const auto& part : parts) {
    if (part.is_string()) {
      text += part.get<std::string>();
    } else if (part.contains("hex")) {
      text += from_hex(part["hex"]);
    } else {
      const std::string unit = part["repeat"];
      for (int i = 0; i < part["count"].get<int>(); ++i)
        text += unit;
    }
  }
  return text;
}

// FNV-1a over the values as little-endian 32-bit words.
template <typename Values>
std::string fnv(const Values& values) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const auto value : values) {
    auto word = static_cast<std::uint32_t>(value);
    for (int i = 0; i < 4; ++i) {
      hash = (hash ^ (word & 0xff)) * 0x100000001b3;
      word >>= 8;
    }
  }
  char text[17];
  std::snprintf(
      text, sizeof(text), "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

template <typename Values>
Json hashed(const Values& values) {
  return {{"count", values.size()}, {"fnv", fnv(values)}};
}

void expect_ids(
    const std::vector<TokenId>& ids, const Json& wanted, const char* what) {
  EXPECT_EQ(wanted.is_array() ? Json(ids) : hashed(ids), wanted) << what;
}

void expect_text(
    const std::string& text, const Json& wanted, const char* what) {
  const std::vector<unsigned char> bytes(text.begin(), text.end());
  EXPECT_EQ(wanted.is_string() ? Json(text) : hashed(bytes), wanted) << what;
}

}  // namespace

std::filesystem::path fixtures() {
  return std::filesystem::path(MOFT_SOURCE_DIR) /
         "tests/reference/tokenizers/fixtures";
}

Json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("no file " + path.string());
  return Json::parse(file);
}

std::vector<std::string> case_texts() {
  std::vector<std::string> texts;
  for (const auto& parts : read_json(fixtures() / "cases.json")) {
    texts.push_back(case_text(parts));
  }
  return texts;
}

void expect_same_as_hugging_face(
    const Tokenizer& tokenizer, const std::string& name, bool framed) {
  const auto texts = case_texts();
  const Json rows = read_json(fixtures() / name / "expected.json");
  ASSERT_EQ(texts.size(), rows.size());
  ASSERT_GE(texts.size(), 70u);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    SCOPED_TRACE(name + ", case " + std::to_string(i));
    const Json& row = rows[i];
    const auto plain = tokenizer.encode(
        texts[i], {.parse_special = false, .add_special = false});
    const auto ids = tokenizer.encode(texts[i], {.add_special = false});
    expect_ids(ids, row["ids"], "ids");
    expect_ids(
        plain, row.contains("plain") ? row["plain"] : row["ids"], "plain");
    if (!framed) continue;
    const auto whole = tokenizer.encode(texts[i]);
    expect_ids(
        whole, row.contains("framed") ? row["framed"] : row["ids"], "framed");
    const auto decode = [&](bool skip, const char* key) {
      const std::string text = tokenizer.decode(whole, skip);
      if (row.contains(key)) {
        expect_text(text, row[key], key);
      } else {
        EXPECT_EQ(text, texts[i]) << key;
      }
    };
    decode(false, "kept");
    decode(true, "skipped");
  }
}

GgufTokenizerData as_gguf(const Json& tokenizer, const std::string& pre) {
  GgufTokenizerData data;
  data.model = "gpt2";
  data.pre = pre;
  const auto put = [&](const std::string& text, std::size_t id, int type) {
    if (data.tokens.size() <= id) {
      data.tokens.resize(id + 1);
      data.token_types.resize(id + 1, 1);
    }
    data.tokens[id] = text;
    data.token_types[id] = type;
  };
  for (const auto& [text, id] : tokenizer["model"]["vocab"].items()) {
    put(text, id, 1);
  }
  for (const auto& token : tokenizer["added_tokens"]) {
    put(token["content"], token["id"], token["special"] ? 3 : 4);
  }
  for (const auto& merge : tokenizer["model"]["merges"]) {
    data.merges.push_back(
        merge.is_string()
            ? merge.get<std::string>()
            : merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  }
  return data;
}

}  // namespace moft::testing
