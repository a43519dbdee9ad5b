// A finished evaluation on disk.
//
//   report.json  everything, for machines (report_json.h reads it back)
//   front.csv    one line per steering, for plots
//   front.svg    the front alone, e.g. for a README (two objectives or more)
//   index.html   the page
//
// Thread safety: several writers per directory, also of other processes; the
// last one's files stay.
#pragma once

#include <filesystem>
#include <string>

#include "moft/evaluation/front.h"
#include "moft/evaluation/report_json.h"

namespace moft {

// Writes all files through AtomicFile: each appears whole or not at all, and
// none takes its place before all are written. Creates the directory; other
// files in it stay. The report must be complete (summarise.h). Throws
// WorldError when the disk refuses or a figure is not finite.
void write_report(const std::filesystem::path& directory, const Report& report);

// front.csv: policy, weights, alpha, beta, then per objective mean, interval,
// raw reward and the value axis V_i = (1 - alpha) R_i - alpha KL, whose
// weighted sum is the value; KL, value, reference value, words, distinct,
// finished, samples. Numbers read back to the same bits.
std::string front_csv(const Report& report);

}  // namespace moft
