// Shared by the tests of checkpoints: folders that vanish, fixtures, hand-made
// files that lie, and the check that a lie is named.
#pragma once

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "moft/checkpoints/tensor_source.h"
#include "moft/core/errors.h"

namespace moft::test {

inline std::filesystem::path fixture(const std::string& name) {
  return std::filesystem::path(MOFT_SOURCE_DIR) /
         "tests/reference/checkpoints" / name;
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "moft-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      throw std::runtime_error("mkdtemp failed");
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(const std::string& name) const {
    return path_ / name;
  }
  const std::filesystem::path& path() const { return path_; }
  std::vector<std::string> listing() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      names.push_back(entry.path().filename().string());
    return names;
  }

 private:
  std::filesystem::path path_;
};

inline void put(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

template <typename T>
std::string raw(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

inline std::vector<float> floats_of(const TensorView& view) {
  std::vector<float> floats(view.element_count());
  to_float(view, floats);
  return floats;
}

// The same bits, so that -0 differs from 0.
inline bool same_bits(
    const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         (a.empty() ||
          std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// The position-sensitive sum of make_fixtures.py.
inline std::uint64_t checksum(const std::vector<float>& floats) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < floats.size(); ++i) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &floats[i], sizeof(bits));
    total += bits * (2 * i + 1);
  }
  return total;
}

// `action` must throw an `Error` whose message holds all `words`.
template <typename Error = CallerError, typename Action>
void expect_refusal(Action action, const std::vector<std::string>& words) {
  try {
    action();
    ADD_FAILURE() << "nothing was thrown; expected: " << words.front();
  } catch (const Error& error) {
    for (const auto& word : words)
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos)
          << "no \"" << word << "\" in: " << error.what();
  }
}

}  // namespace moft::test
