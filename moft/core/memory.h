// How this process holds its memory.
#pragma once

namespace moft {

// Freed memory stays with the process, and is used again: a step or a batch
// asks for the same large tensors each time, and fresh pages from the system,
// which have to be cleared, took a sixth of a step. Call before threads start.
// Nothing happens where the C library is not glibc.
void keep_freed_memory();

}  // namespace moft
