#include "moft/distributed/error_file.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace moft {
namespace {

namespace fs = std::filesystem;

TEST(ErrorFile, HasTheFormatOfTorch) {
  EXPECT_EQ(
      error_file_text("rank 1: \"x\"", 1'700'000'000),
      R"({"message":{"extraInfo":{"timestamp":"1700000000"},)"
      R"("message":"rank 1: \"x\""}})");
}

TEST(ErrorFile, IsWrittenWhereTheLauncherWantsIt) {
  const fs::path file =
      fs::temp_directory_path() / ("moft-error-" + std::to_string(::getpid()));
  write_error_file({{"TORCHELASTIC_ERROR_FILE", file.string()}}, "disk full");
  std::ifstream stream(file);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["message"]["message"], "disk full");
  const std::string seconds = json["message"]["extraInfo"]["timestamp"];
  EXPECT_GT(std::stoll(seconds), 1'700'000'000);
  fs::remove(file);
}

TEST(ErrorFile, IsNotMissed) {
  write_error_file({}, "x");
  write_error_file({{"TORCHELASTIC_ERROR_FILE", "/nowhere/file"}}, "x");
  EXPECT_FALSE(fs::exists("/nowhere"));
}

}  // namespace
}  // namespace moft
