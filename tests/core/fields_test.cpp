// Options declared once: read, written, overridden, checked, listed.
#include "moft/core/fields.h"

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/core/random.h"
#include "moft/core/settings_emit.h"

#include "tests/core/fields_support.h"

namespace moft {
namespace {

TEST(Fields, PrintsWhatAPersonWouldWrite) {
  Everything e;
  e.text = "hello there";
  e.parts["one"].count = 7;
  e.list.resize(1);
  EXPECT_EQ(
      print_options(e),
      "flag: false\n"
      "rate: 1.0e-05\n"
      "text: hello there\n"
      "colour: red\n"
      "colours: []\n"
      "limit: 2.0\n"
      "weights: {}\n"
      "parts:\n"
      "  one:\n"
      "    size: 0.5\n"
      "    count: 7\n"
      "list:\n"
      "  -\n"
      "    size: 0.5\n"
      "    count: null\n"
      "training:\n"
      "  steps: 40\n"
      "  betas: [0.9, 0.95]\n");
}

TEST(Fields, YamlAndJsonRoundTripsAreExact) {
  Everything original = example();
  Everything from_yaml;
  read_options(from_yaml, print_options(original), "r.yaml");
  EXPECT_EQ(differing_options(original, from_yaml), std::vector<std::string>{});
  EXPECT_EQ(from_yaml.text, original.text);
  EXPECT_EQ(from_yaml.rate, original.rate);
  EXPECT_EQ(from_yaml.parts["one"].size, 5e-324);
  EXPECT_EQ(from_yaml.limit, std::nullopt);
  EXPECT_EQ(from_yaml.weights, original.weights);

  Everything from_json;
  std::string json = options_to_json(original).dump();
  options_from_json(from_json, nlohmann::json::parse(json), "r.json");
  EXPECT_EQ(differing_options(original, from_json), std::vector<std::string>{});
  EXPECT_EQ(from_json.text, original.text);
}

TEST(Fields, EveryDoubleKeepsItsBits) {
  RandomStream stream(1, Purpose::kTest);
  for (int i = 0; i < 20000; ++i) {
    double value = std::bit_cast<double>(stream.next_u64());
    if (!std::isfinite(value)) continue;
    Everything written;
    written.limit = value;
    Everything read;
    read_options(
        read,
        "limit: " + emit_inline(fields_detail::real_node(value)),
        "r.yaml");
    ASSERT_EQ(
        std::bit_cast<std::uint64_t>(*read.limit),
        std::bit_cast<std::uint64_t>(value));
  }
}

TEST(Fields, EveryTextKeepsItsBytes) {
  std::vector<std::string> texts = {
      "",
      " ",
      "null",
      "~",
      "true",
      "Yes",
      "no",
      "1",
      "1.0",
      "-",
      "- a",
      "a: b",
      "a #b",
      "#",
      "'",
      "\"",
      "\\",
      "{a}",
      "[a]",
      "*a",
      "&a",
      "!a",
      "%a",
      "@",
      "`",
      "|",
      ">",
      "a\n",
      "\n",
      "\ta",
      "a ",
      "\x7f",
      "\xC2\x85",
      "\xE2\x80\xA8",
      "\xE2\x80\xA9",
      "\xEF\xBB\xBF",
      "\xF0\x9F\x98\x80",
      "\xC2\xA0",
      "1e5",
      "0x1",
      "---",
      "...",
      "a\r\nb",
      "<<",
      "=",
      "?",
      ": "};
  for (const std::string& text : texts) {
    Everything original;
    original.text = text;
    original.weights = {{text.empty() ? "k" : text, 1.0}};
    Everything read;
    read.text = "other";
    read_options(read, print_options(original), "r.yaml");
    EXPECT_EQ(read.text, text);
    EXPECT_EQ(read.weights, original.weights) << text;
  }
}

TEST(Fields, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(
      complaint_of("training:\n  stpes: 3\n"),
      "r.yaml:2: key 'training.stpes' is not known; did you mean "
      "'training.steps'?");
  EXPECT_EQ(
      complaint_of("steps: 3\n"),
      "r.yaml:1: key 'steps' is not known; did you mean 'training.steps'?");
  EXPECT_EQ(
      complaint_of("training:\n  wibble: 3\n"),
      "r.yaml:2: key 'training.wibble' is not known; known here: steps, betas");
  EXPECT_EQ(
      complaint_of("training:\n\n  steps: -3\n"),
      "r.yaml:3: training.steps is -3; give a whole number of at least 1");
  EXPECT_EQ(
      complaint_of("training: {steps: ten}\n"),
      "r.yaml:1: training.steps is 'ten'; give a whole number of at least 1");
  EXPECT_EQ(
      complaint_of("training: {steps: 1.5}\n"),
      "r.yaml:1: training.steps is 1.5; give a whole number of at least 1");
  EXPECT_EQ(
      complaint_of("training: {steps: \"5\"}\n"),
      "r.yaml:1: training.steps is '5'; give a whole number of at least 1 "
      "(without quotes)");
  EXPECT_EQ(
      complaint_of("training: {steps: 99999999999999999999}\n"),
      "r.yaml:1: training.steps is 99999999999999999999; give a whole number "
      "of at least 1");
  EXPECT_EQ(
      complaint_of("training: {betas: [0.9]}\n"),
      "r.yaml:1: training.betas has 1 elements; give 2");
  EXPECT_EQ(
      complaint_of("training: {betas: [0.9, 1]}\n"),
      "r.yaml:1: training.betas.1 is 1; give a number of at least 0 and below "
      "1");
  EXPECT_EQ(
      complaint_of("training: 3\n"),
      "r.yaml:1: training is 3; give a section of the form 'key: value'");
  EXPECT_EQ(
      complaint_of("training:\n"),
      "r.yaml:1: training is empty; give a section of the form 'key: value'");
  EXPECT_EQ(
      complaint_of("colours: red\n"),
      "r.yaml:1: colours is 'red'; give a list of the form [a, b]");
  EXPECT_EQ(
      complaint_of("colour: gren\n"),
      "r.yaml:1: colour is 'gren'; give one of red, green (did you mean "
      "'green'?)");
  EXPECT_EQ(
      complaint_of("flag: yes\n"),
      "r.yaml:1: flag is 'yes'; give true or false");
  EXPECT_EQ(
      complaint_of("text: [a]\n"), "r.yaml:1: text is a list; give a text");
  EXPECT_EQ(
      complaint_of("rate: .nan\n"),
      "r.yaml:1: rate is '.nan'; give a number above 0");
  EXPECT_EQ(
      complaint_of("rate: 1e999\n"),
      "r.yaml:1: rate is '1e999'; give a number above 0");
  EXPECT_EQ(
      complaint_of("parts:\n  one:\n    size: 2\n"),
      "r.yaml:3: parts.one.size is 2; give a number from 0 to 1");
  EXPECT_EQ(
      complaint_of("weights: {a: -1}\n"),
      "r.yaml:1: weights.a is -1; give a number of at least 0");
}

TEST(Fields, OverridesReachInside) {
  Everything e = example();
  override_option(e, "training.steps=7");
  override_option(e, "parts.two.size=0.125");
  override_option(e, "list.1.size=1");
  override_option(e, "colours=[red]");
  override_option(e, "limit=null");
  override_option(e, "weights.a=0.5");
  EXPECT_EQ(e.training.steps, 7);
  EXPECT_EQ(e.parts.size(), 2u);
  EXPECT_EQ(e.parts["two"].size, 0.125);
  EXPECT_EQ(e.parts["two"].count, 7);  // what the path does not name stays
  EXPECT_EQ(e.list[1].size, 1.0);
  EXPECT_EQ(e.colours, std::vector<Colour>{Colour::kRed});
  EXPECT_EQ(e.limit, std::nullopt);
  EXPECT_EQ(e.weights.size(), 3u);
  override_option(e, "weights={c: 1}");  // a map that is named is replaced
  EXPECT_EQ(e.weights, (std::map<std::string, double>{{"c", 1.0}}));
}

TEST(Fields, SaysWhichOverrideIsWrong) {
  EXPECT_EQ(
      complaint_of_override("training.stpes=3"),
      "override 'training.stpes=3': key 'training.stpes' is not known; did you "
      "mean 'training.steps'?");
  EXPECT_EQ(
      complaint_of_override("training.steps"),
      "override 'training.steps': not of the form key=value, for example "
      "training.steps=10");
  EXPECT_EQ(
      complaint_of_override("training..steps=3"),
      "override 'training..steps=3': a part of the dotted key is empty");
  EXPECT_EQ(
      complaint_of_override("training.steps=0"),
      "override 'training.steps=0': training.steps is 0; give a whole number "
      "of at least 1");
  EXPECT_EQ(
      complaint_of_override("list.2.size=1"),
      "override 'list.2.size=1': list is a list of 2; its elements are "
      "numbered from 0, so '2' is none of them");
}

TEST(Fields, LeavesOptionsAloneWhenItFails) {
  Everything e = example();
  Everything before = e;
  EXPECT_THROW(
      read_options(e, "flag: false\ntraining: {steps: 0}\n", "r.yaml"),
      CallerError);
  EXPECT_EQ(differing_options(before, e), std::vector<std::string>{});
}

TEST(Fields, JsonIsReadStrictly) {
  auto complaint_of_json = [](const std::string& json) {
    return complaint([&] {
      Everything e;
      options_from_json(e, nlohmann::json::parse(json), "body");
    });
  };
  EXPECT_EQ(
      complaint_of_json(R"({"training": {"stpes": 1}})"),
      "body: key 'training.stpes' is not known; did you mean "
      "'training.steps'?");
  EXPECT_EQ(
      complaint_of_json(R"({"training": {"steps": 3.0}})"),
      "body: training.steps is 3.0; give a whole number of at least 1");
  EXPECT_EQ(
      complaint_of_json(R"({"text": 3})"), "body: text is 3; give a text");
  EXPECT_EQ(
      complaint_of_json(R"({"rate": "0.5"})"),
      "body: rate is '0.5'; give a number above 0 (without quotes)");
  EXPECT_EQ(
      complaint_of_json("[]"),
      "body: the settings are a list; give a section of the form 'key: value'");
  std::string deep(40, '[');
  EXPECT_EQ(
      complaint_of_json("{\"text\": " + deep + std::string(40, ']') + "}"),
      "body: settings are nested over 32 levels");
}

TEST(Fields, CheckHoldsOptionsMadeInCodeToTheSameRules) {
  auto complaint_about = [](const Everything& e) {
    return complaint([&] { check_options(e, "r.yaml"); });
  };
  Everything good = example();
  EXPECT_EQ(complaint_about(good), "(no complaint)");
  Everything e = good;
  e.text = "";
  EXPECT_EQ(
      complaint_about(e), "r.yaml: key 'text' is missing; give some text");
  e = good;
  e.rate = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(complaint_about(e), "r.yaml: rate is nan; give a number above 0");
  e = good;
  e.parts["two"].count = 0;
  EXPECT_EQ(
      complaint_about(e),
      "r.yaml: parts.two.count is 0; give a whole number of at least 1");
  e = good;
  e.training.betas = {0.9};
  EXPECT_EQ(
      complaint_about(e), "r.yaml: training.betas has 1 elements; give 2");
  e = good;
  e.training.steps = 13;
  EXPECT_EQ(
      complaint_about(e), "r.yaml: training.steps is 13; give another number");
}

TEST(Fields, NamesTheDifferences) {
  Everything a = example();
  Everything b = a;
  b.training.steps = 4;
  b.parts["one"].size = 0.5;
  b.weights.erase("a");
  EXPECT_EQ(
      differing_options(a, b),
      (std::vector<std::string>{
          "weights.a", "parts.one.size", "training.steps"}));
}

TEST(Fields, ListsEveryFieldOnce) {
  std::vector<FieldDescription> fields = list_options<Everything>();
  std::vector<std::string> paths;
  for (const FieldDescription& field : fields)
    paths.push_back(field.path);
  EXPECT_EQ(
      paths,
      (std::vector<std::string>{
          "flag",
          "rate",
          "text",
          "colour",
          "colours",
          "limit",
          "weights",
          "parts",
          "parts.<name>.size",
          "parts.<name>.count",
          "list",
          "list.<number>.size",
          "list.<number>.count",
          "extra",
          "extra.size",
          "extra.count",
          "training",
          "training.steps",
          "training.betas"}));
  EXPECT_EQ(fields[1].default_value, "1.0e-05");
  EXPECT_EQ(fields[1].allowed, "above 0");
  EXPECT_TRUE(fields[2].required);
  EXPECT_EQ(fields[3].type, "red | green");
  EXPECT_EQ(fields[6].type, "map of names to numbers");
  EXPECT_TRUE(fields[7].is_section);
  EXPECT_EQ(fields[8].unit, "metres");
  EXPECT_EQ(fields[18].default_value, "[0.9, 0.95]");
}

}  // namespace
}  // namespace moft
