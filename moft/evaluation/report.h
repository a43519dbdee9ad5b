// A finished evaluation on disk.
//
//   report.json  everything, for machines (report_json.h reads it back)
//   front.csv    one line per steering, for plots
//   front.svg    the front alone, e.g. for a README (two objectives or more)
//   index.html   the page
//   comparison.csv, comparison.md  with baselines: methods and differences
//
// Thread safety: any number of writers, in one process or several; the files
// are those of one of them.
#pragma once

#include <filesystem>
#include <string>

#include "moft/evaluation/front.h"
#include "moft/evaluation/report_json.h"

namespace moft {

// CallerError when `directory` has files of these names that are not part of a
// report, and would be lost.
void check_report_directory(const std::filesystem::path& directory);

// Writes all files, whole or not at all (AtomicFile), once all are on the
// disk. Creates the directory and checks it as above. The report must be
// complete (summarise.h). Throws WorldError when the disk refuses or a figure
// is not finite.
void write_report(const std::filesystem::path& directory, const Report& report);

// front.csv: policy, weights, alpha, beta, then per objective mean, interval,
// raw reward and the value axis V_i = (1 - alpha) R_i - alpha KL, whose
// weighted sum is the value; KL, value, reference value, words, distinct,
// finished, samples. Numbers read back to the same bits.
std::string front_csv(const Report& report);

}  // namespace moft
