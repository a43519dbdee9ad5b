// YAML from files: anchors, limits, and whatever bytes a file may contain.
#include "moft/core/settings_tree.h"

#include <string>

#include <gtest/gtest.h>

#include "moft/core/random.h"

#include "tests/core/fields_support.h"

namespace moft {
namespace {

TEST(SettingsTree, RefusesBrokenAndHostileYaml) {
  EXPECT_EQ(
      complaint_of("flag: true\nflag: false\n"),
      "r.yaml:2: duplicate key 'flag'; keep one");
  EXPECT_EQ(
      complaint_of("training:\n  steps: 1\n  steps: 1\n"),
      "r.yaml:3: duplicate key 'training.steps'; keep one");
  EXPECT_EQ(
      complaint_of("text: \"open\nflag: true\n"),
      "r.yaml:1: a quote is opened here and never closed");
  EXPECT_EQ(
      complaint_of("flag: true\ntext: &a 'it''s\n"),
      "r.yaml:2: a quote is opened here and never closed");
  EXPECT_EQ(complaint_of("\xEF\xBB\xBFtext: 'it''s'\n"), "(no complaint)");
  EXPECT_EQ(complaint_of("text: |\n  \"open\n"), "(no complaint)");
  EXPECT_EQ(
      complaint_of("- a\n"),
      "r.yaml: holds no settings; give lines of the form 'key: value'");
  EXPECT_EQ(
      complaint_of("flag: true\n---\nflag: true\n"),
      "r.yaml: holds more than one YAML document; keep one");
  EXPECT_EQ(
      complaint_of("text: !!binary aaaa\n"),
      "r.yaml:1: the tag 'tag:yaml.org,2002:binary' is not supported; leave it "
      "out");
  EXPECT_EQ(
      complaint_of("text: \xFF\n"),
      "r.yaml: not valid UTF-8; save the file as UTF-8");
  EXPECT_EQ(
      complaint_of(std::string("text: a\0b\n", 10)),
      "r.yaml: holds a NUL byte; settings are text");
  EXPECT_EQ(
      complaint_of(std::string(kMaxSettingsBytes + 1, '#')),
      "r.yaml: settings of 1048577 bytes are over the limit of 1048576");
  EXPECT_EQ(
      complaint_of("text: " + std::string(33, '[') + std::string(33, ']')),
      "r.yaml:1: settings are nested over 32 levels");
  EXPECT_EQ(
      complaint_of(
          "text: " + std::string(100000, '[') + std::string(100000, ']')),
      "r.yaml:1: settings are nested over 32 levels");
}

TEST(SettingsTree, RefusesAliasBombs) {
  std::string wide = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  std::string previous = "a";
  for (std::string next : {"b", "c", "d", "e", "f", "g", "h", "i"}) {
    wide += next + ": &" + next + " [";
    for (int i = 0; i < 9; ++i)
      wide += "*" + previous + ", ";
    wide += "*" + previous + "]\n";
    previous = next;
  }
  EXPECT_EQ(complaint_of(wide), "r.yaml:5: settings have over 100000 values");
  std::string deep = "a0: &a0 [x]\n";
  for (int i = 1; i < 40; ++i) {
    deep += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" +
            std::to_string(i - 1) + "]\n";
  }
  EXPECT_EQ(
      complaint_of(deep), "r.yaml:31: settings are nested over 32 levels");
}

TEST(SettingsTree, UnderstandsAnchors) {
  Everything e;
  read_options(
      e, "parts:\n  one: &p {size: 0.25, count: 3}\n  two: *p\n", "r.yaml");
  EXPECT_EQ(e.parts["two"].size, 0.25);
  EXPECT_EQ(e.parts["two"].count, 3);
}

// Whatever bytes come, the answer is options or one CallerError.
TEST(SettingsTree, SurvivesMutatedYaml) {
  std::string seed = print_options(example()) + "x: &a {b: *a}\n";
  const std::string alphabet = "[]{}:,-?&*!|>'\"%@#\n\t \\ab01.~<";
  RandomStream stream(7, Purpose::kTest);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text = seed;
    int edits = 1 + static_cast<int>(stream.below(4));
    for (int edit = 0; edit < edits; ++edit) {
      std::size_t at = stream.below(text.size());
      char with = alphabet[stream.below(alphabet.size())];
      if (stream.below(3) == 0) {
        text.insert(at, 1, with);
      } else if (stream.below(2) == 0) {
        text.erase(at, 1 + stream.below(5));
      } else {
        text[at] = with;
      }
    }
    try {
      Everything e;
      read_options(e, text, "r.yaml");
    } catch (const CallerError& error) {
      ++refused;
      ASSERT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace moft
