#include "moft/core/json.h"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "moft/core/errors.h"

namespace moft {
namespace {

std::string complaint_of(const std::string& text) {
  try {
    parse_json(text, "f.json");
  } catch (const CallerError& error) {
    return error.what();
  }
  return "(no complaint)";
}

TEST(Json, ReadsWhatIsValid) {
  nlohmann::json json = parse_json(R"({"a": [1, {"a": 2}], "b": "x"})", "f");
  EXPECT_EQ(json["a"][1]["a"], 2);
  EXPECT_EQ(json["b"], "x");
  // Equal keys in different objects are fine.
  EXPECT_EQ(complaint_of(R"([{"a": 1}, {"a": 1}])"), "(no complaint)");
}

TEST(Json, KeepsTheOrderOfKeysWhereAsked) {
  const std::string text = R"({"b":1,"a":{"d":[],"c":null}})";
  EXPECT_EQ(dump_json(parse_ordered_json(text, "f")), text);
  EXPECT_THROW(parse_ordered_json(R"({"a": 1, "a": 2})", "f"), CallerError);
  EXPECT_THROW(parse_ordered_json("[[1]]", "f", 1), CallerError);
}

TEST(Json, SaysWhereItIsBroken) {
  EXPECT_EQ(
      complaint_of("{\n  \"a\": ,\n}"),
      "f.json: not valid JSON at line 2, column 8");
  EXPECT_EQ(complaint_of(""), "f.json: not valid JSON at line 1, column 1");
  EXPECT_EQ(
      complaint_of("{} {}"), "f.json: not valid JSON at line 1, column 4");
  EXPECT_EQ(
      complaint_of("{\"a\": NaN}"),
      "f.json: not valid JSON at line 1, column 7");
  EXPECT_EQ(
      complaint_of("\"\xFF\""), "f.json: not valid JSON at line 1, column 2");
  EXPECT_EQ(
      complaint_of("[1e999]"),
      "f.json: holds a number that no double can hold");
}

TEST(Json, RefusesEqualKeysAndDeepNests) {
  EXPECT_EQ(
      complaint_of(R"({"b": {"a": 1, "a": 2}})"),
      "f.json: duplicate key 'a' in one object; keep one");
  EXPECT_EQ(
      complaint_of(std::string(1000000, '[')),
      "f.json: JSON is nested over 128 levels");
  std::string fits = std::string(128, '[') + std::string(128, ']');
  EXPECT_EQ(complaint_of(fits), "(no complaint)");
}

TEST(Json, WritesAnyBytes) {
  EXPECT_EQ(
      dump_json(nlohmann::json{{"text", "a\xFF"}}),
      "{\"text\":\"a\xEF\xBF\xBD\"}");
}

}  // namespace
}  // namespace moft
