#include "moft/data/example.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

class ReadExamples : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& content) {
    path_ =
        std::filesystem::path(testing::TempDir()) /
        (std::string(
             testing::UnitTest::GetInstance()->current_test_info()->name()) +
         ".jsonl");
    std::ofstream(path_, std::ios::binary) << content;
    return path_;
  }

  // The message of the CallerError, with the path cut down to "F".
  std::string refusal(const std::string& content) {
    const std::string path = write(content).string();
    try {
      read_examples(path);
    } catch (const CallerError& error) {
      std::string message = error.what();
      if (message.starts_with(path)) message.replace(0, path.size(), "F");
      return message;
    }
    return "read without complaint";
  }

  void TearDown() override { std::filesystem::remove(path_); }

  std::filesystem::path path_;
};

TEST_F(ReadExamples, KeepsTextFieldsIdsAndLines) {
  const auto examples = read_examples(
      write("{\"id\":\"a\",\"post\":\"One \\u00e9\\n\",\"n\":3}\r\n"
            "{\"id\":7,\"post\":\"two\"}\n"
            "{\"post\":\"three\",\"tags\":[\"x\"],\"gone\":null}"));
  ASSERT_EQ(examples.size(), 3u);
  EXPECT_EQ(examples[0].id, "a");
  EXPECT_EQ(examples[0].fields.at("post"), "One \xC3\xA9\n");
  EXPECT_EQ(examples[0].other_fields.at("n"), "number");
  EXPECT_EQ(examples[1].id, "7");
  EXPECT_EQ(examples[2].id, "3");
  EXPECT_EQ(examples[2].line, 3);
  EXPECT_EQ(examples[2].where, path_.string() + ":3");
  EXPECT_EQ(examples[2].other_fields.at("tags"), "array");
  EXPECT_EQ(examples[2].other_fields.at("gone"), "null");
}

TEST_F(ReadExamples, TakesByteOrderMarkLastBlankLineAndRepeatedIds) {
  const auto examples =
      read_examples(write("\xEF\xBB\xBF{\"id\":\"a\"}\n{\"id\":\"a\"}\n\n"));
  ASSERT_EQ(examples.size(), 2u);
  EXPECT_EQ(examples[0].id, examples[1].id);
}

TEST_F(ReadExamples, RefusesWithFileAndLine) {
  EXPECT_EQ(
      refusal(""), "F: holds no examples; write one JSON object per line");
  EXPECT_EQ(
      refusal("\n"), "F: holds no examples; write one JSON object per line");
  EXPECT_EQ(refusal("{}\n\n{}\n"), "F:2: the line is empty; remove it");
  EXPECT_EQ(
      refusal("{}\n{\"a\":\n"),
      "F:2: not JSON at byte 6; write one JSON object per line");
  EXPECT_EQ(
      refusal("{\"a\":\"\xFF\"}\n"),
      "F:1: not JSON at byte 7; write one JSON object per line");
  EXPECT_EQ(
      refusal("{}\n[1]\n"),
      "F:2: the line holds JSON of type array; write one JSON object per line");
  EXPECT_EQ(
      refusal("{\"a\":1,\"b\":{\"a\":1},\"a\":\"x\"}\n"),
      "F:1: the field 'a' appears twice; keep one");
  EXPECT_EQ(
      refusal("{\"id\":1.5}\n"),
      "F:1: the field 'id' is of type number; give text or a whole number");
}

TEST_F(ReadExamples, RefusesMissingFilesAndFolders) {
  EXPECT_THROW(read_examples("/nonexistent/x.jsonl"), CallerError);
  EXPECT_THROW(read_examples(testing::TempDir()), CallerError);
}

std::string field_refusal(const Example& example, const std::string& name) {
  try {
    text_field(example, name, "the prompt template");
  } catch (const CallerError& error) {
    return error.what();
  }
  return "found";
}

TEST(TextField, NamesTheNearestField) {
  Example example{.id = "x", .where = "a.jsonl:4"};
  example.fields = {{"post", "text"}, {"title", "t"}};
  example.other_fields = {{"votes", "number"}};
  EXPECT_EQ(text_field(example, "post", "it"), "text");
  EXPECT_EQ(
      field_refusal(example, "posts"),
      "a.jsonl:4: the prompt template needs the field 'posts', which this "
      "example does not have; did you mean 'post'?");
  EXPECT_EQ(
      field_refusal(example, "summary"),
      "a.jsonl:4: the prompt template needs the field 'summary', which this "
      "example does not have; it has 'post, title'");
  EXPECT_EQ(
      field_refusal(example, "votes"),
      "a.jsonl:4: the prompt template needs the field 'votes' as text, but it "
      "is of type number; write it in quotes");
}

}  // namespace
}  // namespace moft
