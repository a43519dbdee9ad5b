#include "moft/weightings/weighting.h"

#include <cmath>
#include <functional>
#include <limits>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

const std::vector<std::string> kNames = {"relevance", "brevity", "tone"};

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const CallerError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

void expect_says(const std::string& message, const std::string& part) {
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(Weighting, KeepsTheObjectivesOrderNotTheMaps) {
  const auto w = weighting_from_map(
      {{"brevity", 0.5}, {"relevance", 0.2}, {"tone", 0.3}}, kNames);
  EXPECT_EQ(w.values(), (std::vector<double>{0.2, 0.5, 0.3}));
  EXPECT_EQ(
      weighting_to_map(w, kNames),
      (std::map<std::string, double>{
          {"brevity", 0.5}, {"relevance", 0.2}, {"tone", 0.3}}));
}

TEST(Weighting, WrittenValuesStayBitForBit) {
  // 0.1 + 0.2 + 0.7 rounds to something else than 1 in some orders.
  for (const auto& values : std::vector<std::vector<double>>{
           {0.1, 0.2, 0.7}, {0.7, 0.2, 0.1}, {0.6, 0.3, 0.1}, {0.3, 0.7}}) {
    EXPECT_EQ(Weighting(values).values(), values);
  }
}

TEST(Weighting, RenormalisesWithinTheTolerance) {
  const Weighting w({0.3333333, 0.3333333, 0.3333333});
  EXPECT_DOUBLE_EQ(w[0] + w[1] + w[2], 1.0);
  EXPECT_DOUBLE_EQ(w[0], 1.0 / 3.0);
  const Weighting corner({1.0000005, 0.0});
  EXPECT_EQ(corner[0], 1.0);
}

TEST(Weighting, RefusesWhatIsNotOnTheSimplex) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  for (const auto& values : std::vector<std::vector<double>>{
           {},
           {nan, 1.0},
           {inf, 0.0},
           {-0.1, 1.1},
           {0.5, 0.4},
           {0.5, 0.500002},
           {0.0, 0.0},
           {1e308, 1e308}}) {
    EXPECT_THROW(Weighting{values}, CallerError);
  }
}

TEST(Weighting, MinusZeroIsZero) {
  EXPECT_FALSE(std::signbit(Weighting({-0.0, 1.0})[0]));
}

TEST(Weighting, CornersAndUniform) {
  const auto corner = Weighting::corner(3, 1);
  EXPECT_EQ(corner.values(), (std::vector<double>{0, 1, 0}));
  EXPECT_DOUBLE_EQ(Weighting::uniform(3)[2], 1.0 / 3.0);
  EXPECT_EQ(Weighting::uniform(1)[0], 1.0);
}

TEST(ParseWeighting, ReadsWhatFormatWrites) {
  const auto w =
      parse_weighting(" tone = 0.25, relevance=5e-1,brevity=.25 ", kNames);
  EXPECT_EQ(w.values(), (std::vector<double>{0.5, 0.25, 0.25}));
  const Weighting thirds = Weighting::uniform(3);
  EXPECT_EQ(parse_weighting(format_weighting(thirds, kNames), kNames), thirds);
  EXPECT_EQ(
      format_weighting(w, kNames), "relevance=0.5,brevity=0.25,tone=0.25");
}

TEST(ParseWeighting, MessagesNameThePlaceTheValueAndTheCure) {
  const auto parse = [](const char* text) {
    return message_of([=] { parse_weighting(text, kNames, "--weights"); });
  };
  expect_says(parse("brevty=1"), "did you mean 'brevity'?");
  expect_says(parse("brevty=1"), "--weights: unknown objective 'brevty'");
  expect_says(parse("zzzzzz=1"), "the objectives are relevance, brevity, tone");
  expect_says(parse("relevance=.5,tone=.5"), "no weight for objective 'brev");
  expect_says(parse("relevance=.5,relevance=.5"), "given twice");
  expect_says(parse("relevance"), "'relevance' is not name=weight");
  expect_says(parse(""), "is not name=weight");
  expect_says(parse("relevance=1,"), "is not name=weight");
  expect_says(parse("relevance=0.5x,brevity=.5,tone=0"), "is '0.5x'");
  expect_says(parse("relevance=,brevity=.5,tone=0"), "is ''");
  expect_says(parse("relevance=nan,brevity=1,tone=0"), "is 'nan'");
  expect_says(parse("relevance=-1,brevity=1,tone=1"), "is -1");
  expect_says(parse("relevance=.2,brevity=.2,tone=.2"), "sum to 0.6");
}

}  // namespace
}  // namespace moft
