// Tables of methods and of their differences.
#include "moft/evaluation/comparison_text.h"

#include <functional>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "moft/evaluation/bar_plot.h"
#include "moft/evaluation/csv.h"
#include "moft/evaluation/markup.h"
#include "moft/evaluation/summarise.h"
#include "moft/evaluation/wish_text.h"

namespace moft {
namespace {

using Cells = std::vector<std::string>;

struct Table {
  std::string title;
  std::string remark;
  Cells head;
  std::vector<Cells> rows;
};

// ---- The figures, listed once
// ------------------------------------------------

std::optional<double> mean_tau(const FrontFigures& figures) {
  double sum = 0;
  for (const auto& [name, tau] : figures.kendall)
    sum += tau / static_cast<double>(figures.kendall.size());
  return sum;
}

struct Figure {
  const char* name;  // in tables
  const char* key;   // in the CSV
  std::function<std::optional<double>(const ComparedMethod&)> get;
  int digits;
};

const std::vector<Figure>& method_figures() {
  using M = const ComparedMethod&;
  static const std::vector<Figure> all{
      {"value (M)", "value", [](M m) { return m.figures.mean_value; }, 3},
      {"reward (MIP)", "reward", [](M m) { return m.figures.mean_reward; }, 3},
      {"reach", "reach", [](M m) { return m.figures.reach; }, 3},
      {"tau", "tau", [](M m) { return mean_tau(m.figures); }, 2},
      {"largest step",
       "largest_step",
       [](M m) { return m.figures.largest_step; },
       2},
      {"hypervolume",
       "value_hypervolume",
       [](M m) { return m.figures.value_hypervolume; },
       3},
      {"hull",
       "value_hull_hypervolume",
       [](M m) { return m.figures.value_hull_hypervolume; },
       3}};
  return all;
}

const std::vector<Figure>& method_costs() {
  using M = const ComparedMethod&;
  static const std::vector<Figure> all{
      {"answers", "answers", [](M m) { return m.cost.answers; }, 0},
      {"parameters", "parameters", [](M m) { return m.cost.parameters; }, 0},
      {"share", "share", [](M m) { return m.cost.share; }, 3},
      {"passes per token", "passes", [](M m) { return m.cost.passes; }, 0},
      {"tokens per second",
       "tokens_per_second",
       [](M m) { return m.cost.tokens_per_second; },
       0},
      {"gradient tokens",
       "gradient_tokens",
       [](M m) { return m.cost.gradient_tokens; },
       0},
      {"seconds", "seconds", [](M m) { return m.cost.seconds; }, 0}};
  return all;
}

struct PairFigure {
  const char* name;
  const char* key;
  std::optional<Effect> ComparedPair::*part;
};

constexpr PairFigure kPairFigures[] = {
    {"value (M)", "value", &ComparedPair::value},
    {"inside (D_int)", "interior", &ComparedPair::interior},
    {"at the vertices (D_ver)", "vertices", &ComparedPair::vertices},
    {"reach", "reach", &ComparedPair::reach},
    {"reward (MIP)", "reward", &ComparedPair::reward}};

// ---- Tables
// ------------------------------------------------------------------

std::string shown(const std::optional<double>& x, int digits) {
  return x ? fmt::format("{:.{}f}", *x, digits) : "";
}

std::string shown(const std::optional<Effect>& x) {
  return x ? fmt::format(
                 "{:+.3f} [{:+.3f}, {:+.3f}]", x->mean, x->lower, x->upper)
           : "";
}

bool equal_ledger(const Comparison& comparison, const ComparedMethod& method) {
  for (const ComparedPair& pair : comparison.pairs)
    if (pair.rival == method.name) return pair.equal_ledger;
  return true;  // the policy's own
}

Table methods_table(
    const Comparison& comparison,
    const std::string& title,
    const std::string& remark,
    const std::vector<Figure>& figures) {
  Table table{title, remark, {"method", "seeds"}, {}};
  for (const Figure& figure : figures)
    table.head.push_back(figure.name);
  for (const ComparedMethod& method : comparison.methods) {
    const bool equal = equal_ledger(comparison, method);
    Cells row{
        method.name + (equal ? "" : " (reference)"),
        std::to_string(method.runs.size())};
    for (const Figure& figure : figures)
      row.push_back(shown(figure.get(method), figure.digits));
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table pairs_table(
    const Comparison& comparison,
    bool equal,
    const std::string& title,
    const std::string& remark) {
  Table table{title, remark, {"against"}, {}};
  for (const PairFigure& figure : kPairFigures)
    table.head.push_back(figure.name);
  table.head.insert(
      table.head.end(), {"won / tied / lost", "dominance", "seeds", "ledger"});
  for (const ComparedPair& pair : comparison.pairs) {
    if (pair.equal_ledger != equal) continue;
    Cells row{pair.rival};
    for (const PairFigure& figure : kPairFigures)
      row.push_back(shown(pair.*figure.part));
    row.push_back(fmt::format("{} / {} / {}", pair.won, pair.tied, pair.lost));
    row.push_back(
        pair.dominates   ? "dominates"
        : pair.dominated ? "is dominated"
                         : "");
    row.push_back(std::to_string(pair.seeds));
    row.push_back(pair.ledger);
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table bank_table(const Comparison& comparison) {
  Table table{
      "Against the bank " + comparison.bank,
      "Share: of the bank's reach; 1 is as steerable as separate models. "
      "Errors: the mean difference between the change measured and the bank's "
      "change from the middle weighting, over the objectives that are raised "
      "and over the others.",
      {"method", "share", "miscalibration", "side effects"},
      {}};
  for (const AgainstBank& method : comparison.against_bank) {
    table.rows.push_back(
        {method.method,
         shown(method.share, 3),
         shown(method.miscalibration, 3),
         shown(method.side_effects, 3)});
  }
  return table;
}

Table bars_table(const Report& report) {
  const Comparison& comparison = *report.comparison;
  Table table{
      "Weighting by weighting",
      "Value of this policy minus the rival's, and in brackets the loss to the "
      "rival as a share of its value: below 0 this policy is better.",
      {"weighting"},
      {}};
  for (const ComparedPair& pair : comparison.pairs)
    table.head.push_back(pair.rival);
  for (const std::size_t k : knob_order(report)) {
    const FrontPoint& point = report.points[k];
    Cells row{weighting_label(point, report.objectives)};
    if (several_alphas(report))
      row[0] += ", alpha " + plain_number(point.alpha, 4);
    for (const ComparedPair& pair : comparison.pairs) {
      std::string& cell = row.emplace_back();
      for (const ComparedWeighting& one : pair.weightings) {
        if (one.weights != point.weights || one.alpha != point.alpha) continue;
        cell = shown(one.value);
        if (one.bar) cell += fmt::format(" ({:+.1f}%)", 100 * *one.bar);
      }
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::vector<Table> tables(const Report& report) {
  const Comparison& comparison = *report.comparison;
  std::vector<Table> all{
      methods_table(
          comparison,
          "Methods",
          "Means over training seeds. Hypervolumes are of the values, KL "
          "included, from 0.",
          method_figures()),
      pairs_table(
          comparison,
          true,
          "Differences at an equal ledger",
          "This policy minus the rival, on the same prompts, with one-sided "
          "95% bounds from a bootstrap over seeds and, within them, prompts. "
          "The answers scored in training, summed over a method's runs, differ "
          "by at most 2%."),
      pairs_table(
          comparison,
          false,
          "References",
          "Trained on another number of answers, or on a number that is not "
          "known: shown, and no verdict rests on them."),
      bars_table(report),
      methods_table(
          comparison,
          "Costs",
          "For one training seed. An empty cell has no record.",
          method_costs())};
  if (!comparison.bank.empty()) all.push_back(bank_table(comparison));
  std::erase_if(all, [](const Table& table) { return table.rows.empty(); });
  return all;
}

// ---- HTML and Markdown
// -------------------------------------------------------

std::string html(const Table& table) {
  std::string out = fmt::format("<h3>{}</h3>\n", escape_markup(table.title));
  out += "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" +
         escape_markup(table.title) + "\"><table>\n<thead><tr>";
  for (const std::string& name : table.head)
    out += "<th scope=\"col\">" + escape_markup(shorten(name, 32)) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (const Cells& row : table.rows) {
    out += "<tr>";
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string text = escape_markup(row[c]);
      out += c == 0 ? "<th scope=\"row\">" + text + "</th>"
                    : "<td>" + text + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n<p class=\"caption\">" +
         escape_markup(table.remark) + "</p>\n";
}

// Three objectives and more: a line of two has its values in the front.
std::string bars(const Report& report) {
  if (report.objectives.size() < 3) return {};
  std::string out = "<div class=\"panels\">\n";
  std::size_t count = 0;
  for (const ComparedPair& pair : report.comparison->pairs) {
    const std::string id = fmt::format("bars-{}", count++);
    const std::string picture = bars_svg(report, pair, id);
    if (!picture.empty()) out += "<figure>" + picture + "</figure>\n";
  }
  return out +
         "</div>\n<p class=\"caption\">Rows are weightings, with the "
         "objectives' shares in colour; to the left of 0 this policy has the "
         "higher value. Grey: references.</p>\n";
}

// A cell cannot end its row, whatever a run is called.
std::string markdown_cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '\\') out += '\\';
    out += c == '\n' || c == '\r' ? ' ' : c;
  }
  return out;
}

std::string markdown_row(const Cells& row) {
  std::string out = "|";
  for (const std::string& cell : row)
    out += " " + markdown_cell(cell) + " |";
  return out + "\n";
}

std::string markdown(const Table& table) {
  std::string out = "\n## " + markdown_cell(table.title) + "\n\n";
  out += table.remark + "\n\n" + markdown_row(table.head) + "|";
  for (std::size_t c = 0; c < table.head.size(); ++c)
    out += c == 0 ? "---|" : "---:|";
  out += "\n";
  for (const Cells& row : table.rows)
    out += markdown_row(row);
  return out;
}

// ---- CSV
// ---------------------------------------------------------------------

class CsvText {
 public:
  explicit CsvText(const Report& report) : report_(report) {
    Cells head{"method", "rival", "figure"};
    for (const std::string& name : report.objectives)
      head.push_back(csv_cell("weight " + name));
    head.insert(
        head.end(),
        {"alpha", "mean", "lower", "upper", "seeds", csv_cell("equal ledger")});
    text_ = csv_line(head);
  }

  void add(
      const std::string& method,
      const std::string& figure,
      const std::optional<double>& x) {
    if (!x) return;
    Cells row = start(method, "", figure, nullptr);
    row.insert(row.end(), {fmt::format("{}", *x), "", "", "", ""});
    text_ += csv_line(row);
  }

  void add(
      const std::string& method,
      const ComparedPair& pair,
      const std::string& figure,
      const std::optional<Effect>& x,
      const ComparedWeighting* at = nullptr) {
    if (!x) return;
    Cells row = start(method, pair.rival, figure, at);
    for (const double number : {x->mean, x->lower, x->upper})
      row.push_back(fmt::format("{}", number));
    std::string seeds;
    for (const double seed : x->seeds)
      seeds += (seeds.empty() ? "" : " ") + fmt::format("{}", seed);
    row.push_back(csv_cell(seeds));
    row.push_back(pair.equal_ledger ? "yes" : "no");
    text_ += csv_line(row);
  }

  const std::string& text() const { return text_; }

 private:
  Cells start(
      const std::string& method,
      const std::string& rival,
      const std::string& figure,
      const ComparedWeighting* at) const {
    Cells row{csv_cell(method), csv_cell(rival), figure};
    for (const std::string& name : report_.objectives)
      row.push_back(at ? fmt::format("{}", at->weights.at(name)) : "");
    row.push_back(at ? fmt::format("{}", at->alpha) : "");
    return row;
  }

  const Report& report_;
  std::string text_;
};

}  // namespace

std::string comparison_html(const Report& report) {
  if (!report.comparison) return {};
  std::string out = "<h2>Compared methods</h2>\n" + bars(report);
  for (const Table& table : tables(report))
    out += html(table);
  return out;
}

std::string comparison_markdown(const Report& report) {
  if (!report.comparison) return {};
  std::string out =
      "# " + markdown_cell(report.title.empty() ? "Front" : report.title) +
      ": compared methods\n";
  for (const Table& table : tables(report))
    out += markdown(table);
  const std::string wishes = wishes_markdown(report);
  return wishes.empty() ? out : out + "\n" + wishes;
}

std::string comparison_csv(const Report& report) {
  if (!report.comparison) return {};
  const Comparison& comparison = *report.comparison;
  CsvText csv(report);
  for (const ComparedMethod& method : comparison.methods) {
    for (const Figure& figure : method_figures())
      csv.add(method.name, figure.key, figure.get(method));
    for (const Figure& figure : method_costs())
      csv.add(method.name, figure.key, figure.get(method));
  }
  for (const AgainstBank& method : comparison.against_bank) {
    csv.add(method.method, "share_of_bank", method.share);
    csv.add(method.method, "miscalibration", method.miscalibration);
    csv.add(method.method, "side_effects", method.side_effects);
  }
  const std::string& own = comparison.methods.front().name;
  for (const ComparedPair& pair : comparison.pairs) {
    for (const PairFigure& figure : kPairFigures)
      csv.add(own, pair, figure.key, pair.*figure.part);
    for (const ComparedWeighting& one : pair.weightings)
      csv.add(own, pair, "value_at", one.value, &one);
  }
  return csv.text();
}

}  // namespace moft
