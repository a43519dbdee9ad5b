// Lines of comma-separated values (RFC 4180, with bare line feeds).
//
// Thread safety: pure.
#pragma once

#include <string>
#include <vector>

namespace moft {

// The text as one cell: quoted where it needs to be.
std::string csv_cell(const std::string& text);

// The cells, already quoted, as one line.
std::string csv_line(const std::vector<std::string>& cells);

}  // namespace moft
