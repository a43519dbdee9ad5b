// An error in the format of torchrun.
#include "moft/distributed/error_file.h"

#include <chrono>
#include <exception>
#include <fstream>

#include <nlohmann/json.hpp>

#include "moft/core/json.h"

namespace moft {

std::string error_file_text(const std::string& message, std::int64_t seconds) {
  return dump_json(nlohmann::json{
      {"message",
       {{"message", message},
        {"extraInfo", {{"timestamp", std::to_string(seconds)}}}}}});
}

void write_error_file(
    const Environment& environment, const std::string& message) noexcept {
  const auto name = environment.find("TORCHELASTIC_ERROR_FILE");
  if (name == environment.end() || name->second.empty()) return;
  try {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    std::ofstream(name->second, std::ios::trunc) << error_file_text(
        message, std::chrono::duration_cast<std::chrono::seconds>(now).count());
  } catch (const std::exception&) {
    // Standard error has the words too.
  }
}

}  // namespace moft
