// Wishes and their answers in words and tables.
#include "moft/evaluation/wish_text.h"

#include <string_view>

#include <fmt/format.h>

#include "moft/core/text.h"
#include "moft/evaluation/markup.h"
#include "moft/evaluation/summarise.h"
#include "moft/evaluation/table.h"
#include "moft/weightings/weighting.h"

namespace moft {
namespace {

using Cells = std::vector<std::string>;

std::string measured(const Interval& x) {
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", x.mean, x.low, x.high);
}

// Text that neither ends a cell of a Markdown table nor starts markup.
std::string markdown_cell(const std::string& text) {
  constexpr std::string_view kMarks = "|\\`*_";
  std::string out;
  char before = ' ';
  for (const char c : printable(text)) {
    const bool link = before == ']' && c == '(';
    // "<" starts a tag unless "=" or a blank follows.
    const bool tag = before == '<' && c != '=' && c != ' ';
    if (tag) out.insert(out.size() - 1, 1, '\\');
    if (link || kMarks.find(c) != std::string_view::npos) out += '\\';
    out += c;
    before = c;
  }
  return out;
}

std::string markdown_row(const std::vector<std::string>& cells) {
  std::string out = "|";
  for (const std::string& cell : cells)
    out += " " + markdown_cell(cell) + " |";
  return out + "\n";
}

constexpr std::string_view kTitle = "From wish to knob";

// ">= 0.6: holds"
std::string bound_remark(const WishAnswer& answer, std::size_t i) {
  const Want& want = answer.wish.wants[i];
  return fmt::format(
      "{} {}: {}",
      want.at_least ? ">=" : "<=",
      shortest_number(want.bound),
      verdict_text(answer.verdicts[i]));
}

std::string remark(const WishAnswer& answer) {
  if (!answer.met) return "no setting meets it; nearest: " + lack_text(answer);
  Cells parts;
  for (std::size_t i = 0; i < answer.verdicts.size(); ++i)
    parts.push_back(answer.wish.wants[i].name + " " + bound_remark(answer, i));
  return join(parts, "; ");
}

// The answers to the examples under a header; none where there are none.
std::vector<Cells> example_rows(const Report& report) {
  const std::vector<WishAnswer> answers = answer_examples(report);
  if (answers.empty()) return {};
  const bool alphas = several_alphas(report) || report.objectives.size() == 1;
  Cells header{"wish"};
  if (report.objectives.size() > 1) header.emplace_back("weights");
  if (alphas) header.emplace_back("alpha");
  header.insert(
      header.end(), report.objectives.begin(), report.objectives.end());
  header.insert(header.end(), {"KL", "on the other half"});
  std::vector<Cells> rows{header};
  for (const WishAnswer& answer : answers) {
    const FrontPoint& point = report.points[answer.point];
    Cells& cells = rows.emplace_back();
    cells.push_back(wish_text(answer.wish));
    if (report.objectives.size() > 1)
      cells.push_back(weighting_label(point, report.objectives));
    if (alphas) cells.push_back(plain_number(point.alpha, 4));
    for (const std::string& name : report.objectives)
      cells.push_back(measured(answer.rewards.at(name)));
    cells.push_back(measured(answer.kl));
    cells.push_back(remark(answer));
  }
  return rows;
}

std::string caption(const Report& report) {
  const std::size_t prompts = prompt_count(report);
  return fmt::format(
      "Five wishes and the measured setting that answers each, chosen on {} of "
      "the prompts; rewards and KL, with intervals, are those of the other {}. "
      "Other wishes: moft steer RUN --want \"..\".",
      prompts / 2,
      prompts - prompts / 2);
}

}  // namespace

std::string lack_text(const WishAnswer& answer) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < answer.lacks.size(); ++i) {
    if (answer.lacks[i] == 0) continue;
    const Want& want = answer.wish.wants[i];
    parts.push_back(fmt::format(
        "{:.3g}{} {} {}",
        answer.lacks[i],
        want.name == kKlName ? " nats" : "",
        want.at_least ? "short of" : "over",
        want_text(want)));
  }
  return listed(parts);
}

std::string weights_text(
    const FrontPoint& point, const std::vector<std::string>& objectives) {
  std::vector<double> weights;
  for (const std::string& name : objectives)
    weights.push_back(point.weights.at(name));
  return format_weighting(Weighting(weights), objectives);
}

std::string wish_block(const Report& report, const WishAnswer& answer) {
  std::vector<Cells> rows{{"", "mean [95% interval]", "wish"}};
  const auto add = [&](const std::string& name, const Interval& found) {
    Cells remarks;
    for (std::size_t i = 0; i < answer.wish.wants.size(); ++i) {
      const Want& want = answer.wish.wants[i];
      if (want.name == name) remarks.push_back(bound_remark(answer, i));
    }
    const Goal& goal = answer.wish.goal;
    if (goal.name == name) remarks.push_back(goal.maximise ? "most" : "least");
    rows.push_back({name, measured(found), join(remarks, ", ")});
  };
  for (const std::string& name : report.objectives)
    add(name, answer.rewards.at(name));
  add(kKlName, answer.kl);
  return aligned_table(rows);
}

std::string wishes_markdown(const Report& report) {
  const std::vector<Cells> rows = example_rows(report);
  if (rows.empty()) return {};
  std::string out = "## " + std::string(kTitle) + "\n\n" + caption(report) +
                    "\n\n" + markdown_row(rows.front()) + "|";
  for (std::size_t c = 0; c < rows.front().size(); ++c)
    out += "---|";
  out += "\n";
  for (std::size_t r = 1; r < rows.size(); ++r)
    out += markdown_row(rows[r]);
  return out;
}

std::string wishes_html(const Report& report) {
  const std::vector<Cells> rows = example_rows(report);
  if (rows.empty()) return {};
  std::string out = fmt::format(
      "<h2>{0}</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"{0}\"><table class=\"figures\">\n<thead><tr>",
      kTitle);
  for (const std::string& name : rows.front()) {
    out += fmt::format(
        "<th scope=\"col\">{}</th>", escape_markup(shorten(name, 24)));
  }
  out += "</tr></thead>\n<tbody>\n";
  for (std::size_t r = 1; r < rows.size(); ++r) {
    out += "<tr>";
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      const bool prose = c == 0 || c + 1 == rows[r].size();
      out += fmt::format(
          "<td{}>{}</td>",
          prose ? " class=\"prose\"" : "",
          escape_markup(rows[r][c]));
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n<p class=\"caption\">" +
         caption(report) + "</p>\n";
}

}  // namespace moft
