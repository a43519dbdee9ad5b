// report.json: the machine-readable result of an evaluation.
//
// Objects keep the objectives' order; numbers are written so that they read
// back to the same bits; text that is not UTF-8 is written with replacement
// characters. Reading is strict: every field is checked for presence, type and
// finiteness, unknown fields and other format versions are refused.
//
// Thread safety: pure, apart from reading the file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "moft/evaluation/front.h"

namespace moft {

// The text of report.json. Throws WorldError naming the field when a number is
// not finite: such a result must not look like one.
std::string report_to_json(const Report& report);

// Throws CallerError "<place>: <field> .." on anything unexpected.
Report report_from_json(const std::string& text, const std::string& place);
Report read_report(const std::filesystem::path& file);

// The rows of a run's metrics.jsonl that the page draws: step,
// rewards/<name>/mean, kl, entropy, completions/mean_length. Rows without a
// step or without any of these are skipped; other keys are ignored. A missing
// file gives no rows; a malformed line throws CallerError with file and line
// (a last line without a newline is a run cut short and is skipped).
std::vector<TrainingRow> read_training_rows(
    const std::filesystem::path& file,
    const std::vector<std::string>& objectives);

}  // namespace moft
