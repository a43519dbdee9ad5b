// One of several processes speaks for all.
//
// Thread safety: any thread.
#pragma once

namespace moft {

// From now on log lines (log.h) are left out, but for the last words of a
// program that fails, which begin with "moft: ".
void quiet_log();

}  // namespace moft
