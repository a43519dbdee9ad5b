// Recognises report folders.
#include "moft/core/report_files.h"

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/json.h"

namespace moft {

bool is_report(const std::filesystem::path& directory) {
  try {
    const std::filesystem::path file = directory / kReportFile;
    const auto json = parse_json(read_text(file), file.string());
    return json.is_object() && json.contains("format_version") &&
           json.contains("points") && json.contains("summary");
  } catch (const CallerError&) {
    return false;
  }
}

}  // namespace moft
