// Interrupts while a long command works: the first SIGINT or SIGTERM asks it
// to finish what it is doing and save, the second ends the process at once.
// Either way the exit code is 128 + the signal: 130 or 143.
//
// Thread safety: any thread may ask.
#pragma once

namespace moft {

// Installs the handlers; call it once. Also makes writes beyond a file-size
// limit fail with an error instead of killing the process.
void catch_interrupts();

// The first signal that came, or 0.
int interrupted_by();

}  // namespace moft
