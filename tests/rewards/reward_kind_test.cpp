// Kinds of rewards that others add: from a recipe's text to numbers.
#include "moft/rewards/reward_kind.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "moft/core/errors.h"
#include "moft/rewards/make_objectives.h"
#include "moft/rewards/reward_context.h"
#include "moft/rewards/reward_inputs.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

// The share of an answer's bytes that a list of letters in a file has.
struct LettersOptions {
  std::string list;
  std::string field;
  double scale = 1.0;
  std::optional<GateOptions> gate;

  template <class V>
  void fields(V& v) {
    v("list", list, Help{"a file of letters"}, Required{}, Path{});
    v("field", field, Help{"a field it reads"}, Required{});
    v("scale", scale, Help{"a factor"}, above(0));
    v("gate", gate, Help{"a gate"});
  }
};

class Letters : public Reward {
 public:
  Letters(std::string name, std::string letters, double scale)
      : Reward(std::move(name)), letters_(std::move(letters)), scale_(scale) {}

 protected:
  std::vector<double> compute(
      const RewardBatch& batch, RewardMemo&) const override {
    std::vector<double> values;
    for (const std::string& text : batch.completions) {
      double found = 0;
      for (const char c : text)
        found += letters_.find(c) != std::string::npos;
      values.push_back(scale_ * found / static_cast<double>(text.size()));
    }
    return values;
  }

 private:
  std::string letters_;
  double scale_;
};

RewardKind letters_kind() {
  return RewardKindOf<LettersOptions>{
      .name = "letters",
      .help = "share of certain letters",
      .make =
          [](const LettersOptions& options, RewardContext& context) {
            std::ifstream file(context.path(options.list));
            std::string letters;
            if (!(file >> letters)) {
              throw_caller_error(
                  "objective '{}': {} cannot be read",
                  context.objective(),
                  options.list);
            }
            return std::make_shared<Letters>(
                context.objective(), letters, options.scale);
          },
      .example_fields =
          [](const LettersOptions& options) {
            return std::vector<std::string>{options.field};
          },
      .warnings =
          [](const LettersOptions&, const std::vector<Example>& examples) {
            return std::vector<std::string>{
                std::to_string(examples.size()) + " examples"};
          },
  };
}

struct Whole {
  Objectives objectives;
  template <class V>
  void fields(V& v) {
    v("objectives", objectives, Help{"the rewards by name"});
  }
};

constexpr const char* kText =
    "objectives:\n"
    "  vowels:\n"
    "    letters:\n"
    "      list: vowels.txt\n"
    "      field: post\n"
    "    range: [0.0, 2.0]\n"
    "  brief:\n"
    "    length:\n"
    "      full_at: 1\n"
    "      zero_at: 3\n"
    "      gate:\n"
    "        objective: vowels\n";

class RewardKinds : public testing::Test {
 protected:
  static void SetUpTestSuite() { register_reward_kind(letters_kind()); }

  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              ("moft-kinds-" + std::to_string(::getpid()));
    fs::create_directories(folder_ / "more");
    std::ofstream(folder_ / "vowels.txt") << "aeiou";
    std::ofstream(folder_ / "more/b.txt") << "b";
    std::ofstream(folder_ / "more/a.txt") << "a";
    read_options(whole_, kText, "r.yaml");
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string refusal(const std::string& assignment) {
    try {
      Whole copy = whole_;
      override_option(copy, assignment);
      check_options(copy, "r.yaml");
      check_objectives(copy.objectives, "objectives");
    } catch (const CallerError& error) {
      return error.what();
    }
    return "accepted";
  }

  fs::path folder_;
  Whole whole_;
};

TEST_F(RewardKinds, OneFromOutsideIsUsedFromARecipe) {
  check_options(whole_, "r.yaml");
  const ObjectiveSet set = make_objectives(whole_.objectives, folder_);
  Example example;
  RewardBatch batch{{"p", "p"}, {"a b", "bcd"}, {2, 1}, {&example, &example}};
  RewardMemo memo;
  // brief: 2 words are halfway from 1 to 3; its gate is the share of vowels.
  EXPECT_EQ(
      set.objectives()[0].reward->score(batch, memo),
      (std::vector<double>{0.5 / 3, 0}));
  EXPECT_EQ(
      set.objectives()[1].reward->score(batch, memo),
      (std::vector<double>{1.0 / 3, 0}));
  EXPECT_EQ(set.objectives()[1].high, 2.0);
}

TEST_F(RewardKinds, SettingsArePrintedComparedAndListedAsAnyField) {
  Whole again;
  const std::string printed = print_options(whole_);
  read_options(again, printed, "again.yaml");
  EXPECT_EQ(print_options(again), printed);
  EXPECT_TRUE(differing_options(whole_, again).empty());
  override_option(again, "objectives.vowels.letters.scale=2");
  EXPECT_EQ(
      differing_options(whole_, again),
      (std::vector<std::string>{"objectives.vowels.letters.scale"}));
  // A copy has settings of its own.
  EXPECT_EQ(
      whole_.objectives.at("vowels").chosen().get<LettersOptions>().scale, 1);

  std::vector<std::string> listed;
  for (const FieldDescription& field : list_options<Whole>()) {
    if (field.path.find(".letters") != std::string::npos)
      listed.push_back(field.path + " " + field.type);
  }
  EXPECT_EQ(
      listed,
      (std::vector<std::string>{
          "objectives.<name>.letters section",
          "objectives.<name>.letters.list text",
          "objectives.<name>.letters.field text",
          "objectives.<name>.letters.scale number",
          "objectives.<name>.letters.gate section",
          "objectives.<name>.letters.gate.objective text",
          "objectives.<name>.letters.gate.zero_at number",
          "objectives.<name>.letters.gate.full_at number"}));
}

TEST_F(RewardKinds, SettingsAreCheckedInTheWordsOfEveryField) {
  EXPECT_EQ(
      refusal("objectives.vowels.letters.scael=2"),
      "override 'objectives.vowels.letters.scael=2': key "
      "'objectives.vowels.letters.scael' is not known; did you mean "
      "'objectives.vowels.letters.scale'?");
  EXPECT_EQ(
      refusal("objectives.vowels.letters.scale=0"),
      "override 'objectives.vowels.letters.scale=0': "
      "objectives.vowels.letters.scale is 0; give a number above 0");
  EXPECT_EQ(refusal("objectives.vowels.letters={list: x}"), "accepted");
  EXPECT_EQ(
      refusal("objectives.other.letters={list: x}"),
      "r.yaml: key 'objectives.other.letters.field' is missing; give a field "
      "it reads");
  EXPECT_EQ(
      refusal("objectives.vowels.length={full_at: 1, zero_at: 2}"),
      "r.yaml: objectives.vowels has 2 reward kinds; give exactly one of "
      "similarity, length, regex, rouge, classifier, preference, verdict, "
      "python, command, http, judge, "
      "letters");
  EXPECT_EQ(
      refusal("objectives.vowels.letters=null"),
      "r.yaml: objectives.vowels has 0 reward kinds; give exactly one of "
      "similarity, length, regex, rouge, classifier, preference, verdict, "
      "python, command, http, judge, "
      "letters");
  EXPECT_EQ(
      refusal("objectives.vowels.letters.gate={objective: brief}"),
      "objectives.brief.length.gate.objective is 'vowels', which has a gate "
      "itself; name an objective without one");
}

TEST_F(RewardKinds, PathsFieldsAndWarningsComeFromTheTable) {
  for_each_path(whole_, [&](const std::string& key, std::string& path) {
    EXPECT_EQ(key, "objectives.vowels.letters.list");
    path = (folder_ / "more").string();
  });
  std::vector<std::string> files;
  for (const RewardFile& file : reward_files(whole_.objectives))
    files.push_back(file.key + " = " + file.path.filename().string());
  EXPECT_EQ(
      files,
      (std::vector<std::string>{
          "objectives.vowels.letters.list a.txt = a.txt",
          "objectives.vowels.letters.list b.txt = b.txt"}));
  check_reward_files(whole_.objectives);

  Example example;
  example.fields["post"] = "text";
  example.where = "posts.jsonl:1";
  check_reward_fields(whole_.objectives, {example});
  EXPECT_EQ(
      reward_warnings(whole_.objectives, {example}),
      (std::vector<std::string>{"objective 'vowels': 1 examples"}));
  example.fields.clear();
  EXPECT_THROW(check_reward_fields(whole_.objectives, {example}), CallerError);
}

TEST_F(RewardKinds, NamesAreIdentifiersAndUnique) {
  const auto refused = [](const std::string& name) {
    RewardKind kind = letters_kind();
    kind.name = name;
    EXPECT_THROW(register_reward_kind(kind), CallerError) << name;
  };
  refused("letters");
  refused("length");
  refused("range");
  refused("a b");
  RewardKind kind = letters_kind();
  kind.name = "unmade";
  kind.make = nullptr;
  EXPECT_THROW(register_reward_kind(kind), CallerError);
  EXPECT_THROW(ObjectiveOptions("lenght", LettersOptions{}), CallerError);
}

}  // namespace
}  // namespace moft
