// Interrupts while a long command works: the first SIGINT, SIGTERM or SIGHUP
// asks it to finish what it is doing and save; a second SIGINT or SIGTERM ends
// the process at once. A closed terminal or service often sends SIGHUP beside
// another signal, so SIGHUP never counts as the second.
// Either way the exit code is 128 + the signal: 130, 143 or 129.
//
// Thread safety: any thread may ask.
#pragma once

namespace moft {

// Installs the handlers; call it once. SIGHUP stays ignored where it was
// (nohup). Also makes writes beyond a file-size limit fail with an error
// instead of killing the process, and outlives a closed pipe.
void catch_interrupts();

// The first signal that came, or 0.
int interrupted_by();

// For commands whose product is on the disk: goes on when nobody reads
// standard output or standard error any more (`| head`, a terminal closed).
void outlive_closed_pipes();

// A file that is mapped was made shorter: one sentence and exit code 1 instead
// of a crash.
void report_bus_errors();

// Opens /dev/null where standard input, output or error is closed: otherwise a
// file opened later gets its number, and log lines are written into that file.
// Before any file is opened.
void hold_standard_streams();

}  // namespace moft
