// What all ranks must have in common before they exchange anything: the same
// program, recipe, device, data and models.
//
// Thread safety: pure functions.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

namespace moft {

// Hashes and names as text; empty where there is nothing to compare.
struct Handshake {
  // The program: version and build.
  std::string build;
  // The recipe with what the command line changed.
  std::string recipe;
  // The hashes of models, data and whatever else is read, by name.
  std::map<std::string, std::string> inputs;
  // What kind of device the rank computes on.
  std::string device = {};
  bool operator==(const Handshake&) const = default;
};

// As JSON on one line, and back. `place` names the rank that sent the text;
// CallerError when it is not a handshake (another version of moft wrote it).
std::string write_handshake(const Handshake& handshake);
Handshake read_handshake(std::string_view text, const std::string& place);

// Throws CallerError for the first rank that differs from rank 0, in the order
// of the members, inputs last: "rank 2: examples '4f1c' differs from rank 0's
// '9a02'; ..".
// `ranks` has one handshake for each rank, by rank, so that every rank throws
// the same.
void check_same(std::span<const Handshake> ranks);

}  // namespace moft
