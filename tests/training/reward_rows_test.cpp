// Rows of preferences, in the shapes that data sets have.
#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/training/reward/rows.h"

namespace moft::test {
namespace {

class PreferenceRows : public testing::Test {
 protected:
  PreferenceRows()
      : directory_(
            std::filesystem::path(MOFT_SOURCE_DIR) /
            "tests/reference/models/classifiers/bert"),
        reader_(directory_, read_classifier_info(directory_)) {
    reading_.reader = &reader_;
    reading_.kind = RewardTask::kPreference;
  }

  static Example row() {
    Example example;
    example.where = "pairs.jsonl:1";
    return example;
  }

  // What is read of the chosen answer.
  TokenIds chosen(const Example& example) const {
    return encode_reward_rows({example}, reading_).rows.at(0).texts.at(0).ids;
  }

  std::filesystem::path directory_;
  TextReader reader_;
  RowReading reading_;
};

const ChatMessage kAsk{.role = "user", .content = "the bakery"};
const ChatMessage kBread{.role = "assistant", .content = "bread"};
const ChatMessage kBook{.role = "assistant", .content = "a book"};

TEST_F(PreferenceRows, AreReadTheSameHoweverTheyAreWritten) {
  Example texts = row();
  texts.fields = {
      {"prompt", "the bakery"}, {"chosen", "bread"}, {"rejected", "a book"}};
  const TokenIds expected = chosen(texts);
  Example whole = row();
  whole.dialogues = {
      {"chosen", {{kAsk, kBread}}}, {"rejected", {{kAsk, kBook}}}};
  EXPECT_EQ(chosen(whole), expected);
  // The prompt twice, as in UltraFeedback.
  Example twice = whole;
  twice.fields = {{"prompt", "the bakery"}};
  EXPECT_EQ(chosen(twice), expected);
  Example answers = row();
  answers.fields = {{"prompt", "the bakery"}};
  answers.dialogues = {{"chosen", {{kBread}}}, {"rejected", {{kBook}}}};
  EXPECT_EQ(chosen(answers), expected);
  // A dialogue as the prompt of texts.
  for (const char* field : {"prompt", "messages"}) {
    Example mixed = row();
    mixed.fields = {{"chosen", "bread"}, {"rejected", "a book"}};
    mixed.dialogues = {{field, {{kAsk}}}};
    EXPECT_EQ(chosen(mixed), expected) << field;
    mixed.dialogues = {{field, {{kAsk, kBook, kAsk}}}};
    EXPECT_THROW(chosen(mixed), CallerError) << field;
  }
}

// A template's {prompt} is never nothing.
TEST_F(PreferenceRows, ATemplateNeedsItsPrompt) {
  reading_.data.user = "Say: {prompt}";
  Example texts = row();
  texts.fields = {{"chosen", "bread"}, {"rejected", "a book"}};
  try {
    chosen(texts);
    FAIL();
  } catch (const CallerError& error) {
    EXPECT_STREQ(
        error.what(),
        "pairs.jsonl:1: there is no prompt for {prompt}; give the row a field "
        "'prompt', or name its fields in the template");
  }
}

}  // namespace
}  // namespace moft::test
