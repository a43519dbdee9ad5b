// Reports and answers in a terminal.
#include "moft/evaluation/table.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <utf8proc.h>

#include "moft/core/utf8.h"
#include "moft/evaluation/markup.h"
#include "moft/evaluation/summarise.h"

namespace moft {
namespace {

struct Character {
  std::string bytes;
  std::size_t columns = 1;
};

// Controls drive a terminal, and so do the marks that turn the direction of
// writing (U+202A to U+202E, U+2066 to U+2069).
bool drives_terminal(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x202a && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

std::vector<Character> characters(std::string_view text) {
  std::vector<Character> result;
  for (std::size_t at = 0; at < text.size();) {
    CodePoint c = any_code_point_at(text, at);
    at += c.length;
    if (drives_terminal(c.value)) c.value = U'\ufffd';
    Character& character = result.emplace_back();
    append_utf8(character.bytes, c.value);
    character.columns = static_cast<std::size_t>(
        utf8proc_charwidth(static_cast<utf8proc_int32_t>(c.value)));
  }
  return result;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (const Character& c : characters(text))
    width += c.columns;
  return width;
}

std::string pad(const std::string& text, std::size_t width, bool right) {
  const std::size_t used = display_width(text);
  const std::string air(width > used ? width - used : 0, ' ');
  return right ? air + text : text + air;
}

// One word, cut into pieces no wider than `width`.
std::vector<std::string> pieces(std::string_view word, std::size_t width) {
  std::vector<std::string> result(1);
  std::size_t used = 0;
  for (const Character& c : characters(word)) {
    if (used + c.columns > width && used > 0) {
      result.emplace_back();
      used = 0;
    }
    result.back() += c.bytes;
    used += c.columns;
  }
  return result;
}

std::vector<std::string> wrap(std::string_view text, std::size_t width) {
  std::vector<std::string> lines(1);
  const auto is_space = [](char c) { return c == ' ' || (c >= 9 && c <= 13); };
  for (std::size_t k = 0; k < text.size();) {
    while (k < text.size() && is_space(text[k]))
      ++k;
    const std::size_t start = k;
    while (k < text.size() && !is_space(text[k]))
      ++k;
    if (k == start) break;
    for (const auto& piece : pieces(text.substr(start, k - start), width)) {
      std::string& line = lines.back();
      const std::size_t used = display_width(line);
      if (used == 0) {
        line = piece;
      } else if (used + 1 + display_width(piece) <= width) {
        line += " " + piece;
      } else {
        lines.push_back(piece);
      }
    }
  }
  return lines;
}

using Cells = std::vector<std::string>;

std::string aligned(const std::vector<Cells>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const Cells& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      widths[c] = std::max(widths[c], display_width(row[c]));
    }
  }
  std::string out;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      if (c > 0) line += "  ";
      line += pad(rows[r][c], widths[c], /*right=*/c > 0);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    if (r > 0) continue;
    std::size_t total = 2 * (widths.size() - 1);
    for (const std::size_t w : widths)
      total += w;
    for (std::size_t k = 0; k < total; ++k)
      out += "\u2500";
    out += "\n";
  }
  return out;
}

std::string measured(const Interval& x) {
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", x.mean, x.low, x.high);
}

Cells header(const Report& report, bool several_alphas) {
  Cells cells{""};
  for (const std::string& name : report.objectives) {
    cells[0] += (cells[0].empty() ? "" : " / ") + printable(name);
  }
  if (report.objectives.size() == 1) cells[0] = "alpha";
  if (several_alphas) cells.push_back("alpha");
  for (const std::string& name : report.objectives) {
    cells.push_back(printable(name));
  }
  for (const char* name :
       {"KL", "value", "ref. value", "words", "distinct", "finished"}) {
    cells.push_back(name);
  }
  return cells;
}

// `point` is null for the reference.
Cells row_cells(
    const Report& report,
    const MeasuredAnswers& answers,
    const FrontPoint* point,
    bool several_alphas) {
  Cells cells{point ? weighting_label(*point, report.objectives) : "reference"};
  if (several_alphas)
    cells.push_back(point ? plain_number(point->alpha, 4) : "");
  for (const std::string& name : report.objectives)
    cells.push_back(measured(answers.rewards.at(name)));
  if (point) {
    cells.push_back(fmt::format("{:.2f}", point->kl.mean));
    cells.push_back(fmt::format("{:.3f}", point->value.mean));
    cells.push_back(fmt::format("{:.3f}", point->reference_value));
  } else {
    cells.insert(cells.end(), {"0", "", ""});
  }
  cells.push_back(fmt::format("{:.1f}", answers.words));
  cells.push_back(fmt::format("{:.0f}%", 100 * answers.distinct));
  cells.push_back(fmt::format("{:.0f}%", 100 * answers.finished));
  return cells;
}

// Blocks of lines beside each other, each `width` columns wide.
std::string beside(
    const std::vector<std::vector<std::string>>& blocks, std::size_t width) {
  std::size_t height = 0;
  for (const auto& block : blocks)
    height = std::max(height, block.size());
  std::string out;
  for (std::size_t r = 0; r < height; ++r) {
    std::string line;
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      if (b > 0) line += "  ";
      line += pad(r < blocks[b].size() ? blocks[b][r] : "", width, false);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (const Character& c : characters(text))
    out += c.bytes;
  return out;
}

std::string aligned_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<Cells> safe = rows;
  for (Cells& row : safe) {
    for (std::string& cell : row)
      cell = printable(cell);
  }
  return aligned(safe);
}

std::string results_table(const Report& report) {
  if (report.points.empty()) return "(no points)\n";
  const bool several = several_alphas(report);
  std::vector<Cells> rows{header(report, several)};
  for (const std::size_t k : knob_order(report)) {
    const FrontPoint& point = report.points[k];
    rows.push_back(row_cells(report, point, &point, several));
  }
  if (!report.reference.rewards.empty())
    rows.push_back(row_cells(report, report.reference, nullptr, several));
  return aligned(rows);
}

std::string sample_block(
    const Report& report, const SampleText& sample, std::size_t width) {
  width = std::max<std::size_t>(width, 20);
  std::string out;
  for (const std::string& line : wrap(sample.prompt, width - 2)) {
    out += "> " + line + "\n";
  }
  out += "\n";
  const std::vector<std::size_t> order = knob_order(report);
  const std::size_t fits = std::max<std::size_t>((width + 2) / 22, 1);
  const std::size_t rounds = (order.size() + fits - 1) / fits;
  const std::size_t columns =
      rounds == 0 ? 1 : (order.size() + rounds - 1) / rounds;
  const std::size_t each = (width + 2) / columns - 2;
  for (std::size_t start = 0; start < order.size(); start += columns) {
    std::vector<std::vector<std::string>> blocks;
    for (std::size_t k = start; k < std::min(order.size(), start + columns);
         ++k) {
      const FrontPoint& point = report.points[order[k]];
      std::vector<std::string> block{weighting_label(point, report.objectives)};
      if (several_alphas(report))
        block[0] += ", alpha " + plain_number(point.alpha, 4);
      std::string rule;
      for (std::size_t n = 0; n < each; ++n)
        rule += "\u2500";
      block.push_back(rule);
      for (auto& line : wrap(sample.answers.at(order[k]).text, each)) {
        block.push_back(std::move(line));
      }
      blocks.push_back(std::move(block));
    }
    out += beside(blocks, each) + "\n";
  }
  return out;
}

}  // namespace moft
