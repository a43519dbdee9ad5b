// Fixtures of the tokenizer tests: written by
// tests/reference/tokenizers/make_fixtures.py.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/core/tokenizer_data.h"
#include "moft/tokenizers/tokenizer.h"

namespace moft::testing {

using Json = nlohmann::json;

std::filesystem::path fixtures();
Json read_json(const std::filesystem::path& path);

// The texts of cases.py as bytes.
std::vector<std::string> case_texts();

// Compares ids and decoded text with fixtures()/name/expected.json, case by
// case. `framed` also compares what the template adds.
void expect_same_as_hugging_face(
    const Tokenizer& tokenizer, const std::string& name, bool framed);

// A tokenizer.json as the metadata a GGUF file would carry for it.
GgufTokenizerData as_gguf(const Json& tokenizer, const std::string& pre);

}  // namespace moft::testing
