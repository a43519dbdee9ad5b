// Values as people write them, keys as other programs call them, and paths.
#include <gtest/gtest.h>

#include "moft/core/field_paths.h"
#include "moft/core/fields.h"

namespace moft {
namespace {

struct Value {
  double learning_rate = 1;
  std::int64_t heads = 1;
  template <class V>
  void fields(V& v) {
    v("learning_rate", learning_rate, Help{"of the value network"});
    v("heads", heads, Help{"of the value network"});
  }
};

struct Optimizer {
  double learning_rate = 1;
  template <class V>
  void fields(V& v) {
    v("learning_rate", learning_rate, Help{"of the policy"});
  }
};

struct Loop {
  bool shuffle = true;
  std::int64_t steps = 1;
  double strength = 1;
  std::optional<double> clip = 1.0;
  std::optional<bool> maybe;
  Value value;  // before the optimizer, as in recipes
  Optimizer optimizer;
  template <class V>
  void fields(V& v) {
    v("shuffle", shuffle, Help{"a switch"});
    v("steps", steps, Help{"updates"}, at_least(1));
    v("strength", strength, Help{"a rate"});
    v("clip", clip, Help{"a bound; null: none"}, above(0));
    v("maybe", maybe, Help{"a switch or null"});
    v("value", value, Help{"the value network"});
    v("optimizer", optimizer, Help{"the optimizer"});
  }
};

struct Whole {
  std::vector<std::string> files;
  std::optional<std::string> model;
  std::map<std::string, std::string> names;
  std::map<std::string, std::string> encoders;
  std::map<std::string, std::string> start;
  Loop loop;
  template <class V>
  void fields(V& v) {
    v("files", files, Help{"data"}, OneOrMore{}, Path{});
    v("model", model, Help{"a folder"}, Path{});
    v("names", names, Help{"not paths"});
    v("encoders", encoders, Help{"folders"}, Path{});
    v("start", start, Help{"a folder, or some by name"}, OneOrMore{}, Path{});
    v("loop", loop, Help{"the loop"});
  }

  static KeyHints key_hints() {
    static constexpr ForeignKey kForeign[] = {
        {"beta", "loop.strength", ""},
        {"lr", "loop.optimizer.learning_rate", ""},
        {"critic_heads", "loop.value.heads", ""},
        {"actor.rollout.n", "loop.steps", "as many"},
        {"report_to", "", "every step is logged: leave it out"}};
    static constexpr ConditionalKeys kConditional[] = {
        {"loop.value.", "loop.baseline: value"}};
    return {kForeign, kConditional};
  }
};

Whole with(const std::string& assignment) {
  Whole whole;
  override_option(whole, assignment);
  return whole;
}

std::string refusal(const std::string& assignment) {
  try {
    with(assignment);
  } catch (const CallerError& error) {
    std::string message = error.what();
    return message.substr(message.find("': ") + 3);
  }
  return "accepted";
}

// One value without a name, some by name, or none.
TEST(FieldValues, AMapMayBeOneValue) {
  const auto paths = [](Whole& whole) {
    std::vector<std::string> keys;
    for_each_path(whole, [&](const std::string& key, std::string& path) {
      keys.push_back(key + "=" + path);
    });
    return keys;
  };
  using Texts = std::vector<std::string>;
  Whole one = with("start=a");
  EXPECT_EQ(one.start, (std::map<std::string, std::string>{{"", "a"}}));
  EXPECT_EQ(paths(one), Texts{"start=a"});
  EXPECT_NE(print_options(one).find("start: a\n"), std::string::npos);
  Whole two = with("start={p: a, q: b}");
  EXPECT_EQ(paths(two), (Texts{"start.p=a", "start.q=b"}));
  EXPECT_NE(
      print_options(two).find("start:\n  p: a\n  q: b\n"), std::string::npos);
  Whole none = with("start=null");
  EXPECT_TRUE(none.start.empty());
  EXPECT_NE(print_options(none).find("start: null\n"), std::string::npos);
  for (const Whole& whole : {one, two, none}) {
    Whole again;
    read_options(again, print_options(whole), "file");
    EXPECT_EQ(again.start, whole.start);
  }
  // An override by name takes the place of the one value.
  override_option(one, "start.x=c");
  EXPECT_EQ(one.start, (std::map<std::string, std::string>{{"x", "c"}}));
  override_option(two, "start.p=c");
  EXPECT_EQ(paths(two), (Texts{"start.p=c", "start.q=b"}));
  for (const FieldDescription& field : list_options<Whole>()) {
    if (field.path != "start") continue;
    EXPECT_EQ(field.type, "text or map of names to texts");
    EXPECT_EQ(field.default_value, "");
  }
}

TEST(FieldValues, BooleansAreThoseOfYaml12) {
  for (const char* word : {"true", "True", "TRUE"})
    EXPECT_TRUE(with(std::string("loop.shuffle=") + word).loop.shuffle);
  for (const char* word : {"false", "False", "FALSE"})
    EXPECT_FALSE(with(std::string("loop.shuffle=") + word).loop.shuffle);
  for (const char* word : {"yes", "on", "1", "tRUE", "'true'", "~"})
    EXPECT_NE(refusal(std::string("loop.shuffle=") + word), "accepted") << word;
  EXPECT_EQ(
      refusal("loop.shuffle=yes"), "loop.shuffle is 'yes'; give true or false");
}

TEST(FieldValues, NumbersAreReadAsMeantOrRefused) {
  const std::pair<const char*, std::int64_t> kWhole[] = {
      {"1e3", 1000},
      {"1_000", 1000},
      {"10.0", 10},
      {"2.5e2", 250},
      {"7", 7},
      {"1_0.0e1", 100}};
  for (const auto& [text, value] : kWhole)
    EXPECT_EQ(with(std::string("loop.steps=") + text).loop.steps, value)
        << text;
  for (const char* text :
       {"1.5", "1e-3", "_1", "1_", "1__0", "1e30", "0x10", "'7'", "1,000"}) {
    EXPECT_NE(refusal(std::string("loop.steps=") + text), "accepted") << text;
  }
  EXPECT_EQ(with("loop.strength=1_000.5").loop.strength, 1000.5);
  EXPECT_EQ(with("loop.strength=5e-6").loop.strength, 5e-6);
  EXPECT_EQ(with("loop.strength=.001").loop.strength, .001);
  EXPECT_NE(refusal("loop.strength=1e-4f"), "accepted");
}

TEST(FieldValues, WhereNullIsAllowedTheMessageSaysSo) {
  EXPECT_EQ(
      refusal("loop.clip=none"),
      "loop.clip is 'none'; give a number above 0, or null");
  EXPECT_EQ(
      refusal("loop.clip=-1"),
      "loop.clip is -1; give a number above 0, or null");
  EXPECT_EQ(
      refusal("loop.maybe=none"),
      "loop.maybe is 'none'; give true or false, or null");
  EXPECT_FALSE(with("loop.clip=null").loop.clip);
  EXPECT_FALSE(with("loop.clip=~").loop.clip);
}

TEST(FieldValues, AListMayBeItsOnlyElement) {
  using Files = std::vector<std::string>;
  EXPECT_EQ(with("files=a.jsonl").files, Files{"a.jsonl"});
  EXPECT_EQ(with("files=[a, b]").files, (Files{"a", "b"}));
  EXPECT_EQ(with("files=[]").files, Files{});
  EXPECT_EQ(with("files=*.jsonl").files, Files{"*.jsonl"});
  EXPECT_EQ(with("files='*.jsonl'").files, Files{"*.jsonl"});
  EXPECT_NE(
      refusal("files=[*.jsonl]")
          .find("put a text that begins with '*' in "
                "quotes"),
      std::string::npos)
      << refusal("files=[*.jsonl]");
  EXPECT_EQ(refusal("files={a: b}").find("files is a section"), 0u);
  EXPECT_NE(
      print_options(with("files=a")).find("files: a\n"), std::string::npos);
  EXPECT_NE(
      print_options(with("files=[a, b]")).find("files: [a, b]\n"),
      std::string::npos);
  EXPECT_EQ(list_options<Whole>().at(0).type, "text or list of texts");
}

TEST(FieldValues, ForeignKeysLeadToOurs) {
  EXPECT_EQ(
      refusal("loop.beta=1"),
      "key 'loop.beta' is not known; did you mean 'loop.strength'?");
  EXPECT_EQ(
      refusal("loop.optimizer.lr=1"),
      "key 'loop.optimizer.lr' is not known; did you mean "
      "'loop.optimizer.learning_rate'?");
  EXPECT_EQ(
      refusal("actor.rollout.n=8"),
      "key 'actor' is not known; did you mean 'loop.steps'? (as many)");
  EXPECT_EQ(
      refusal("report_to=wandb"),
      "key 'report_to' is not known; every step is logged: leave it out");
}

// The first learning_rate that is declared has no effect in most runs.
TEST(FieldValues, HintsPreferKeysThatHaveAnEffect) {
  EXPECT_EQ(
      refusal("loop.learning_rate=1"),
      "key 'loop.learning_rate' is not known; did you mean "
      "'loop.optimizer.learning_rate'?");
  EXPECT_EQ(
      refusal("loop.heads=1"),
      "key 'loop.heads' is not known; did you mean 'loop.value.heads'? (it "
      "needs loop.baseline: value)");
  EXPECT_EQ(
      refusal("critic_heads=1"),
      "key 'critic_heads' is not known; did you mean 'loop.value.heads'? (it "
      "needs loop.baseline: value)");
}

// There is a `model`, but what it is says its section, which is another.
TEST(FieldValues, HintsLeaveGenericNamesInTheirSections) {
  EXPECT_EQ(
      refusal("loop.model=m"),
      "key 'loop.model' is not known; known here: shuffle, steps, strength, "
      "clip, maybe, value, optimizer");
  EXPECT_EQ(
      refusal("steps=1"),
      "key 'steps' is not known; did you mean 'loop.steps'?");
}

TEST(FieldPaths, VisitsEveryPathAndNothingElse) {
  Whole whole = with("files=[a, b]");
  whole.model = "m";
  whole.names = {{"n", "not"}};
  whole.encoders = {{"x", "e"}};
  std::vector<std::string> seen;
  for_each_path(whole, [&](const std::string& key, std::string& path) {
    seen.push_back(key + "=" + path);
    path += "!";
  });
  EXPECT_EQ(
      seen,
      (std::vector<std::string>{
          "files=a", "files=b", "model=m", "encoders.x=e"}));
  EXPECT_EQ(whole.files, (std::vector<std::string>{"a!", "b!"}));
  EXPECT_EQ(whole.model, "m!");
  EXPECT_EQ(whole.names.at("n"), "not");
}

}  // namespace
}  // namespace moft
