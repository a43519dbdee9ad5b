// How this process holds its memory.
#pragma once

namespace moft {

// Freed memory stays with the process, and is used again: a step or a batch
// asks for the same large tensors each time, and fresh pages from the system
// have to be cleared first (a tenth of T5-small's step; benchmarks/workloads).
// Price: what was needed once is held to the end, and all threads share one
// heap. Call before threads start. Nothing happens where the C library is not
// glibc.
void keep_freed_memory();

}  // namespace moft
