// Several processes that do the same work say it once: the others are mute.
#pragma once

namespace moft {

// From now on write_log_line(), and what calls it, writes nothing; or it writes
// again. Thread safety: any thread.
void mute_log(bool mute);

}  // namespace moft
