// Cells and lines.
#include "moft/evaluation/csv.h"

namespace moft {

std::string csv_cell(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
  return text.find_first_of(",\"\r\n ") == std::string::npos ? text : out;
}

std::string csv_line(const std::vector<std::string>& cells) {
  std::string out;
  for (std::size_t k = 0; k < cells.size(); ++k) {
    if (k > 0) out += ',';
    out += cells[k];
  }
  return out + "\n";
}

}  // namespace moft
