// The files of a report folder: evaluation writes them, training removes them
// when a run is overwritten.
//
// Thread safety: pure but for the files.
#pragma once

#include <array>
#include <filesystem>

namespace moft {

// The file that marks a folder as a report.
inline constexpr const char* kReportFile = "report.json";
// All files that `moft evaluate` writes, the mark last.
inline constexpr std::array kReportFiles = {
    "comparison.csv",
    "comparison.md",
    "front.csv",
    "front.svg",
    "index.html",
    kReportFile};

// Whether the folder holds a report that moft wrote.
bool is_report(const std::filesystem::path& directory);

}  // namespace moft
