// The version of moft: semantic versioning (docs/library.md says what is
// covered). CMakeLists.txt reads it from here.
#pragma once

#define MOFT_VERSION_MAJOR 0
#define MOFT_VERSION_MINOR 2
#define MOFT_VERSION_PATCH 0

// For comparisons: MOFT_VERSION >= MOFT_MAKE_VERSION(0, 2, 0).
#define MOFT_MAKE_VERSION(major, minor, patch) \
  ((major)*1000000 + (minor)*1000 + (patch))
#define MOFT_VERSION \
  MOFT_MAKE_VERSION(MOFT_VERSION_MAJOR, MOFT_VERSION_MINOR, MOFT_VERSION_PATCH)

#define MOFT_TEXT_OF(value) #value
#define MOFT_JOIN_VERSION(major, minor, patch) \
  MOFT_TEXT_OF(major) "." MOFT_TEXT_OF(minor) "." MOFT_TEXT_OF(patch)
// "0.2.0"
#define MOFT_VERSION_STRING \
  MOFT_JOIN_VERSION(MOFT_VERSION_MAJOR, MOFT_VERSION_MINOR, MOFT_VERSION_PATCH)
