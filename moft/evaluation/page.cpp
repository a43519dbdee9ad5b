// The report as an HTML page.
#include "moft/evaluation/page.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "moft/core/text.h"
#include "moft/evaluation/comparison_text.h"
#include "moft/evaluation/curve_plots.h"
#include "moft/evaluation/front_plot.h"
#include "moft/evaluation/markup.h"
#include "moft/evaluation/plot.h"
#include "moft/evaluation/summarise.h"
#include "moft/evaluation/wish_text.h"

namespace moft {
namespace {

constexpr std::size_t kShownTexts = 3;
constexpr std::size_t kShownAnswers = 7;

std::string element(std::string_view tag, const std::string& inner) {
  return fmt::format("<{0}>{1}</{0}>\n", tag, inner);
}

std::string safe(std::string_view text) {
  return escape_markup(text);
}

std::string measured(const Interval& x, int digits = 3) {
  return fmt::format(
      "{:.{}f}<small>[{:.{}f}, {:.{}f}]</small>",
      x.mean,
      digits,
      x.low,
      digits,
      x.high,
      digits);
}

// The weighting as a small stacked bar.
std::string chip(const Report& report, const FrontPoint& point) {
  std::string out = "<span class=\"chip\" aria-hidden=\"true\">";
  for (std::size_t i = 0; i < report.objectives.size(); ++i) {
    const double share = point.weights.at(report.objectives[i]);
    if (share <= 0) continue;
    out += fmt::format(
        "<i style=\"width:{}%;background:{}\"></i>",
        plain_number(100 * share),
        objective_colour(i));
  }
  return out + "</span>";
}

std::string figure(
    const std::string& svg,
    const std::string& caption = {},
    std::string_view kind = {}) {
  if (svg.empty()) return {};
  std::string out = kind.empty() ? "<figure>\n"
                                 : fmt::format("<figure class=\"{}\">\n", kind);
  out += svg;
  if (!caption.empty()) out += element("figcaption", caption);
  return out + "</figure>\n";
}

std::string panels(const std::vector<std::string>& pictures) {
  std::string out = "<div class=\"panels\">\n";
  for (const std::string& picture : pictures)
    out += figure(picture);
  return out + "</div>\n";
}

std::string tile(
    const std::string& name, double value, const std::string& remark) {
  return fmt::format(
      "<div><dt>{}</dt><dd>{:.3f}<small>{}</small></dd></div>\n",
      safe(name),
      value,
      safe(remark));
}

std::string bounds(const Interval& x) {
  return fmt::format("[{:.3f}, {:.3f}]", x.low, x.high);
}

std::string knob_range(const Summary& s) {
  return s.intervals ? bounds(s.intervals->knob_regret) + ", 0 is best"
                     : "0 is best";
}

std::string head(const Report& report) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < report.objectives.size(); ++i) {
    names.push_back(fmt::format(
        "<span class=\"objective\"><span class=\"key\" "
        "style=\"background:{}\"></span>{}</span>",
        objective_colour(i),
        safe(report.objectives[i])));
  }
  std::string out =
      element("h1", safe(report.title.empty() ? "Front" : report.title));
  out += fmt::format(
      "<p class=\"lead\">One policy, {} settings of its knob, the same {} "
      "held-out prompts{}. Objectives: {}.</p>\n",
      report.points.size(),
      prompt_count(report),
      report.data ? safe(" of data." + report.data->split) : "",
      listed(names));
  const Summary& s = report.summary;
  out += "<dl class=\"tiles\">\n";
  for (const std::string& name : report.objectives) {
    out += tile(
        "Reach of " + shorten(name, 40),
        s.reach.at(name),
        fmt::format("rank correlation {:.2f}", s.spearman.at(name)));
  }
  out += tile("Value over weightings", s.moft_value, "KL included");
  out += tile("Knob regret", s.knob_regret, knob_range(s));
  out += tile("Hypervolume", s.hypervolume, "of the mean rewards");
  return out + "</dl>\n";
}

std::string notes(const Report& report) {
  if (report.notes.empty()) return {};
  std::string out = element("h2", "What to know before trusting this");
  out += "<ul class=\"notes\">\n";
  constexpr std::string_view kLoud = "Warning:";
  for (const std::string& note : report.notes) {
    if (note.starts_with(kLoud)) {
      out += fmt::format(
          "<li class=\"loud\"><b>{}</b>{}</li>\n",
          kLoud,
          safe(std::string_view(note).substr(kLoud.size())));
    } else {
      out += element("li", safe(note));
    }
  }
  return out + "</ul>\n";
}

std::string front(const Report& report) {
  const std::size_t m = report.objectives.size();
  std::string out = element("h2", "The front");
  const std::string caption =
      "Mean rewards in their [0, 1] units; up and right is better. Bars are "
      "intervals over prompts, the hollow diamond is the reference policy.";
  if (m == 2) {
    return out + figure(
                     front_svg(report),
                     caption + " The colour runs with the weighting.",
                     "wide");
  }
  std::vector<std::string> pictures;
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = i + 1; j < m; ++j) {
      pictures.push_back(front_svg(report, i, j));
    }
  }
  if (!pictures.empty()) {
    out += panels(pictures) +
           fmt::format("<p class=\"caption\">{}</p>\n", caption);
  }
  return out;
}

std::string knob(const Report& report) {
  std::string out = element("h2", "What the knob does");
  if (report.objectives.size() == 2) {
    out += panels(knob_svgs(report));
    return out +
           "<p class=\"caption\">Bands are intervals over prompts; dashed "
           "lines are the reference policy.</p>\n";
  }
  std::vector<std::string> pictures;
  for (std::size_t i = 0; i < report.objectives.size(); ++i) {
    pictures.push_back(own_weight_svg(report, i));
  }
  out += panels(pictures);
  return out + "<div class=\"scroll\">" +
         figure(
             rows_svg(report),
             "Every weighting as a row; each column has its own scale.",
             "rows") +
         "</div>\n";
}

// The columns that not every report has.
struct MoreColumns {
  bool alphas = false;
  bool copied = false;
  bool echoed = false;
};

MoreColumns more_columns(const Report& report) {
  MoreColumns more;
  more.alphas = several_alphas(report);
  for (const FrontPoint& point : report.points) {
    more.copied |= point.copied.has_value();
    more.echoed |= point.echoed.has_value();
  }
  return more;
}

std::string table_head(const Report& report, const MoreColumns& more) {
  std::string out = "<thead><tr>";
  std::string names;
  for (const std::string& name : report.objectives) {
    names += (names.empty() ? "" : " / ") + safe(shorten(name, 24));
  }
  if (report.objectives.size() == 1) names = "\u03b1";
  out += "<th scope=\"col\">" + names + "</th>";
  const auto column = [&](const std::string& name) {
    out += "<th scope=\"col\">" + name + "</th>";
  };
  if (more.alphas) column("\u03b1");
  for (const std::string& name : report.objectives) {
    column(safe(shorten(name, 24)));
  }
  for (const char* name :
       {"KL", "value", "reference<br>value", "words", "distinct", "finished"}) {
    column(name);
  }
  if (more.copied) column("copied");
  if (more.echoed) column("echoed");
  return out + "</tr></thead>\n";
}

std::string cell(const std::string& inner) {
  return "<td>" + inner + "</td>";
}

std::string percent(std::optional<double> share) {
  return share ? fmt::format("{:.0f}%", 100 * *share) : "";
}

// `point` is null for the reference.
std::string table_row(
    const Report& report,
    const MeasuredAnswers& answers,
    const FrontPoint* point,
    const MoreColumns& more) {
  std::string out = point
                        ? "<tr><th scope=\"row\">" + chip(report, *point) +
                              safe(weighting_label(*point, report.objectives))
                        : "<tr class=\"reference\"><th scope=\"row\">reference";
  out += "</th>";
  if (more.alphas) out += cell(point ? plain_number(point->alpha, 4) : "");
  for (const std::string& name : report.objectives)
    out += cell(measured(answers.rewards.at(name)));
  if (point) {
    out += cell(measured(point->kl, 2)) + cell(measured(point->value)) +
           cell(fmt::format("{:.3f}", point->reference_value));
  } else {
    out += cell("0") + cell("") + cell("");
  }
  out += cell(fmt::format("{:.1f}", answers.words));
  out += cell(percent(answers.distinct)) + cell(percent(answers.finished));
  if (more.copied) out += cell(percent(answers.copied));
  if (more.echoed) out += cell(percent(answers.echoed));
  return out + "</tr>\n";
}

std::string numbers(const Report& report) {
  const MoreColumns more = more_columns(report);
  std::string out = element("h2", "The numbers");
  out +=
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"Results by weighting\"><table>\n";
  out += table_head(report, more) + "<tbody>\n";
  for (const std::size_t k : knob_order(report)) {
    const FrontPoint& point = report.points[k];
    out += table_row(report, point, &point, more);
  }
  if (!report.reference.rewards.empty())
    out += table_row(report, report.reference, nullptr, more);
  return out +
         "</tbody></table></div>\n<p class=\"caption\">Rewards, KL (nats per "
         "answer) and value with "
         "bootstrap intervals over prompts. Value is (1 \u2212 \u03b1) times "
         "the weighted reward minus \u03b1 times the KL. Distinct: share "
         "of prompts with a unique answer.</p>\n";
}

struct Fact {
  std::string name;
  double value;
  std::string meaning;
};

void add_figures(const FrontFigures& figures, std::vector<Fact>& facts) {
  facts.push_back(
      {"Mean weighted reward",
       figures.mean_reward,
       "KL left out: a policy can buy it with KL"});
  facts.push_back({"Reach", figures.reach, "signed, mean over the objectives"});
  if (figures.largest_step) {
    facts.push_back(
        {"Largest step",
         *figures.largest_step,
         "of the whole change; 1: one jump, or no change"});
  }
  const std::string origin = "of the values, KL included, from 0";
  facts.push_back({"Value hypervolume", figures.value_hypervolume, origin});
  if (figures.value_hull_hypervolume) {
    facts.push_back(
        {"Value hull hypervolume",
         *figures.value_hull_hypervolume,
         origin + "; with randomised choices between settings"});
  }
}

std::vector<Fact> facts(const Report& report) {
  const Summary& s = report.summary;
  const auto with_bounds = [&](std::string text, auto figure) {
    return s.intervals ? text + ", " + bounds(s.intervals.value().*figure)
                       : text;
  };
  std::vector<Fact> result{
      {"Value over weightings", s.moft_value, s.moft_rule},
      {"Mean utility", s.mean_utility, "plain mean of the values above"},
      {"Best-of-set utility",
       s.best_utility,
       with_bounds(
           "if every weighting could take any setting of the knob, chosen on "
           "other prompts than it is scored on",
           &CrossFit::best_utility)},
      {"Knob regret",
       s.knob_regret,
       with_bounds("the difference of these two", &CrossFit::knob_regret)},
      {"Share on the diagonal",
       s.diagonal_share,
       with_bounds(
           "weightings served best by their own setting",
           &CrossFit::diagonal_share)}};
  for (const std::string& name : report.objectives) {
    result.push_back(
        {"Extent of " + name, s.extent.at(name), "largest minus smallest"});
    result.push_back(
        {"Rank correlation of " + name,
         s.spearman.at(name),
         "weight against reward (Spearman)"});
    if (s.figures) {
      result.push_back(
          {"Kendall's tau of " + name,
           s.figures->kendall.at(name),
           "the same, by pairs of weightings (tau-b)"});
    }
  }
  std::string origin;
  for (const std::string& name : report.objectives) {
    origin += (origin.empty() ? "from (" : ", ") +
              plain_number(report.reference_point.at(name), 3);
  }
  result.push_back({"Hypervolume", s.hypervolume, origin + ")"});
  if (s.hull_hypervolume) {
    result.push_back(
        {"Hull hypervolume",
         *s.hull_hypervolume,
         "with randomised choices between settings, same origin"});
  }
  if (s.figures) add_figures(*s.figures, result);
  result.push_back({"Evenness", s.evenness, "1: equal steps along the front"});
  result.push_back(
      {"Spacing", s.spacing, "0 also for a collapsed front: not alone"});
  result.push_back(
      {"Sparsity", s.sparsity, "0 also for a collapsed front: not alone"});
  return result;
}

std::string figures(const Report& report) {
  std::string out = element("h2", "Figures of the whole front");
  out +=
      "<div class=\"scroll\"><table class=\"figures\"><thead><tr>"
      "<th scope=\"col\">figure</th>"
      "<th scope=\"col\">value</th><th scope=\"col\" class=\"prose\">"
      "meaning</th></tr></thead><tbody>\n";
  for (const Fact& fact : facts(report)) {
    out += fmt::format(
        "<tr><td>{}</td><td>{:.4f}</td><td class=\"prose\">{}</td></tr>\n",
        safe(fact.name),
        fact.value,
        safe(fact.meaning));
  }
  return out + "</tbody></table></div>\n";
}

// At most kShownAnswers points, evenly along the knob, both ends included.
std::vector<std::size_t> shown_points(const Report& report) {
  const std::vector<std::size_t> order = knob_order(report);
  if (order.size() <= kShownAnswers) return order;
  std::vector<std::size_t> result;
  for (std::size_t k = 0; k < kShownAnswers; ++k) {
    result.push_back(order[k * (order.size() - 1) / (kShownAnswers - 1)]);
  }
  return result;
}

std::string answer_card(
    const Report& report,
    const std::string& colour,
    const std::string& title,
    const SampleAnswer& answer) {
  std::string scores;
  for (const std::string& name : report.objectives) {
    const auto found = answer.rewards.find(name);
    if (found == answer.rewards.end()) continue;
    scores += fmt::format(
        "<span>{} {:.2f}</span> ", safe(shorten(name, 20)), found->second);
  }
  const std::string text =
      answer.text.empty() ? "<em>(empty)</em>" : safe(answer.text);
  return fmt::format(
      "<li style=\"border-top-color:{}\"><p class=\"who\">{}</p><p>{}</p>"
      "<div class=\"scores\">{}</div></li>\n",
      colour,
      title,
      text,
      scores);
}

std::string sample(const Report& report, const SampleText& sample) {
  std::string out = "<div class=\"sample\">\n<p class=\"who\">Prompt</p>\n";
  out += "<p class=\"prompt\">" + safe(sample.prompt) + "</p>\n";
  if (sample.reference) {
    out += "<p class=\"who\" style=\"margin-top:.8rem\">A person's answer</p>";
    out += "<p class=\"prompt\">" + safe(*sample.reference) + "</p>\n";
  }
  out += "<ul class=\"answers\">\n";
  for (const std::size_t k : shown_points(report)) {
    const FrontPoint& point = report.points[k];
    const std::string title =
        report.objectives.size() == 2
            ? safe(shorten(report.objectives.front(), 20)) + " " +
                  plain_number(point.weights.at(report.objectives.front()))
            : safe(weighting_label(point, report.objectives));
    out += answer_card(
        report,
        weighting_colour(ordered_weights(report, point)),
        title,
        sample.answers.at(k));
  }
  if (sample.reference_policy) {
    out += answer_card(
        report, "var(--axis)", "reference", *sample.reference_policy);
  }
  return out + "</ul></div>\n";
}

std::string texts(const Report& report) {
  if (report.texts.empty()) return {};
  std::string out = element("h2", "The same prompts under every weighting");
  const std::size_t count = std::min(report.texts.size(), kShownTexts);
  for (std::size_t k = 0; k < count; ++k) {
    out += sample(report, report.texts[k]);
  }
  return out;
}

std::string training(const Report& report) {
  const std::vector<std::string> pictures = training_svgs(report);
  if (pictures.empty()) return {};
  return element("h2", "Training") + panels(pictures) +
         "<p class=\"caption\">Faint: every step, at the weightings drawn in "
         "it. Strong: a running mean.</p>\n";
}

std::string origin(const Report& report) {
  if (report.cost.empty() && report.provenance.empty()) return {};
  std::string out = element("h2", "Cost and origin") + "<dl class=\"facts\">\n";
  for (const auto& [name, value] : report.cost) {
    out += fmt::format(
        "<dt>{}</dt><dd>{}</dd>\n", safe(name), plain_number(value, 3));
  }
  for (const auto& [name, text] : report.provenance) {
    out += fmt::format("<dt>{}</dt><dd>{}</dd>\n", safe(name), safe(text));
  }
  return out + "</dl>\n";
}

}  // namespace

std::string report_page(const Report& report) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light "
      "dark\">\n";
  out += element("title", safe(report.title.empty() ? "Front" : report.title));
  out += fmt::format(
      "<style>\n{}{}{}</style>\n</head>\n",
      plot_style(),
      plot_variables(),
      page_style());
  out += "<body>\n<main>\n" + head(report) + front(report) + notes(report) +
         comparison_html(report) + knob(report) + numbers(report) +
         wishes_html(report) + texts(report) + training(report) +
         figures(report) + origin(report);
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace moft
