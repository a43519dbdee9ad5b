// The page of a report: complete, self-contained, safe with hostile text.
#include "moft/evaluation/page.h"

#include <regex>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "moft/evaluation/front_plot.h"
#include "moft/evaluation/notes.h"
#include "moft/evaluation/summarise.h"

#include "tests/evaluation/support.h"

namespace moft {
namespace {

using testing::complete_pair;
using testing::kFive;
using testing::made_up_report;

// Every tag opened is closed in order; the page's void elements aside.
bool balanced(const std::string& html) {
  static const std::regex tag("<(/?)([a-zA-Z0-9]+)[^>]*?(/?)>");
  std::vector<std::string> open;
  for (std::sregex_iterator it(html.begin(), html.end(), tag), end; it != end;
       ++it) {
    const std::string name = (*it)[2];
    if ((*it)[3] == "/" || name == "meta" || name == "br") continue;
    if ((*it)[1] != "/") {
      open.push_back(name);
    } else if (open.empty() || open.back() != name) {
      return false;
    } else {
      open.pop_back();
    }
  }
  return open.empty();
}

TEST(Page, HostileTextStaysText) {
  const std::string hostile =
      "</script><svg onload=alert(1)>\"'><img src=x onerror=1>&lt;\x01\xff";
  Report report = made_up_report({hostile, "b"}, kFive, 12);
  report.title = hostile;
  report.cost = {{hostile, 1}};
  report.provenance = {{hostile, hostile}};
  report.baselines = {{hostile, report.points}};
  complete_report(report);
  report.notes = automatic_notes(report);
  report.notes.push_back("Warning:" + hostile);
  SampleText text{hostile, hostile, SampleAnswer{hostile, {}}, {}};
  for (int k = 0; k < 5; ++k)
    text.answers.push_back({hostile, {{hostile, 1}}});
  report.texts = {text};
  report.training = {{1, {{hostile, .1}}, .5, 1.0, 2.0}, {2, {}, .6, {}, {}}};
  const std::string page = report_page(report);
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_EQ(page.find("<svg onload"), std::string::npos);
  EXPECT_EQ(page.find("script>"), std::string::npos);
  EXPECT_EQ(page.find('\x01'), std::string::npos);
  EXPECT_EQ(page.find('\xff'), std::string::npos);
  EXPECT_NE(
      page.find("&lt;/script&gt;&lt;svg onload=alert(1)&gt;"),
      std::string::npos);
  EXPECT_NE(page.find("&amp;lt;"), std::string::npos);
  EXPECT_TRUE(balanced(page));
  const std::string svg = front_svg(report, 0, 1, true);
  EXPECT_EQ(svg.find("<svg onload"), std::string::npos);
  EXPECT_TRUE(balanced(svg));
}

TEST(Page, NeedsNothingFromOutside) {
  const std::string page = report_page(complete_pair());
  for (const char* word :
       {"src=", "href=", "url(", "@import", "<script", "<link", "<iframe"}) {
    EXPECT_EQ(page.find(word), std::string::npos) << word;
  }
  // The only address is the name of the SVG language.
  std::string rest = page;
  const std::string language = "http://www.w3.org/2000/svg";
  for (std::size_t at; (at = rest.find(language)) != std::string::npos;) {
    rest.erase(at, language.size());
  }
  EXPECT_EQ(rest.find("://"), std::string::npos);
  EXPECT_TRUE(balanced(page));
}

TEST(Page, ShowsEveryNumberOfTheTableAndDescribesEveryPicture) {
  const Report report = complete_pair();
  const std::string page = report_page(report);
  for (const FrontPoint& p : report.points) {
    const Interval& reward = p.rewards.at("zeal");
    EXPECT_NE(
        page.find(fmt::format(
            "{:.3f}<small>[{:.3f}, {:.3f}]</small>",
            reward.mean,
            reward.low,
            reward.high)),
        std::string::npos);
  }
  const std::regex picture("<svg [^>]*aria-labelledby=\"([^ ]+) ([^\"]+)\"");
  std::set<std::string> ids;
  std::size_t pictures = 0;
  for (std::sregex_iterator it(page.begin(), page.end(), picture), end;
       it != end;
       ++it, ++pictures) {
    ids.insert((*it)[1]);
    EXPECT_NE(
        page.find("<title id=\"" + (*it)[1].str() + "\">"), std::string::npos);
    EXPECT_NE(
        page.find("<desc id=\"" + (*it)[2].str() + "\">"), std::string::npos);
  }
  EXPECT_EQ(pictures, 9u);  // front, four of the knob, four of training
  EXPECT_EQ(ids.size(), pictures);
}

TEST(Page, CopiedAndEchoedHaveAColumnWhereTheyWereMeasured) {
  Report report = complete_pair();
  EXPECT_EQ(report_page(report).find("echoed</th>"), std::string::npos);
  report.points[1].echoed = 0.625;
  const std::string page = report_page(report);
  EXPECT_NE(page.find("echoed</th>"), std::string::npos);
  EXPECT_NE(page.find("<td>62%</td>"), std::string::npos);
}

TEST(Page, ThreeObjectivesAndSixtySixWeightings) {
  std::vector<std::vector<double>> weightings;
  for (int a = 0; a <= 10; ++a) {
    for (int b = 0; a + b <= 10; ++b) {
      weightings.push_back({a / 10., b / 10., (10 - a - b) / 10.});
    }
  }
  Report report = made_up_report({"a", "b", "c"}, weightings, 10);
  complete_report(report);
  EXPECT_TRUE(report.summary.hull_hypervolume.has_value());
  const std::string page = report_page(report);
  for (const char* id : {"front-0-1", "front-0-2", "front-1-2", "rows-title"}) {
    EXPECT_NE(page.find(id), std::string::npos) << id;
  }
  EXPECT_TRUE(balanced(page));
}

TEST(Page, OneObjectiveAndOnePointWork) {
  Report one = made_up_report({"a"}, {{1}}, 3);
  complete_report(one);
  EXPECT_TRUE(balanced(report_page(one)));
  EXPECT_NEAR(
      one.summary.hypervolume, one.points[0].rewards.at("a").mean, 1e-12);
  // A single objective at several alphas: alpha labels the rows.
  Report alphas = made_up_report({"a"}, {{1}, {1}, {1}}, 5);
  for (int k = 0; k < 3; ++k)
    alphas.points[k].alpha = 0.25 * (k + 1);
  complete_report(alphas);
  const std::string by_alpha = report_page(alphas);
  EXPECT_TRUE(balanced(by_alpha));
  for (const char* part : {"</span>0.25</th>", "</span>0.75</th>"})
    EXPECT_NE(by_alpha.find(part), std::string::npos) << part;
  Report pair = made_up_report({"a", "b"}, {{.5, .5}}, 3);
  complete_report(pair);
  const std::string page = report_page(pair);
  EXPECT_TRUE(balanced(page));
  EXPECT_EQ(page.find("nan"), std::string::npos);
  EXPECT_EQ(page.find("inf,"), std::string::npos);
}

}  // namespace
}  // namespace moft
