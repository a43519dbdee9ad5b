#include "moft/data/example.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <tuple>

#include <gtest/gtest.h>
#include <zlib.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

std::string gzip(const std::string& text) {
  std::string packed(text.size() + 64, '\0');
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

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
      "F:2: not JSON: the line ends after 5 bytes, before its object does; "
      "write each object on one line");
  EXPECT_EQ(
      refusal("{}\n[1]\n"),
      "F:2: the line holds JSON of type array; write one JSON object per line");
  EXPECT_EQ(
      refusal("{\"a\":1,\"b\":{\"a\":1},\"a\":\"x\"}\n"),
      "F:1: the field 'a' appears twice; keep one");
  EXPECT_EQ(
      refusal("{\"id\":1.5}\n"),
      "F:1: the field 'id' is '1.5'; give text or a whole number, or leave it "
      "out");
}

// Tables write the ids of a column with gaps as 1.0, and the gaps as null.
TEST_F(ReadExamples, TakesIdsAsTablesWriteThem) {
  const auto examples = read_examples(
      write("{\"id\":1.0}\n{\"id\":null}\n{\"id\":-12e2}\n{\"id\":\"x/1\"}\n"));
  ASSERT_EQ(examples.size(), 4u);
  EXPECT_EQ(examples[0].id, "1");
  EXPECT_EQ(examples[1].id, "2");  // the line
  EXPECT_FALSE(examples[1].has_id);
  EXPECT_EQ(examples[2].id, "-1200");
  EXPECT_EQ(examples[3].id, "x/1");
}

TEST_F(ReadExamples, SaysWhichTokenIsNotJson) {
  const std::pair<const char*, const char*> kCases[] = {
      {"{\"a\": NaN}",
       "byte 7 is 'NaN', which JSON does not have; write null or a number"},
      {"{\"a\": -Infinity}",
       "byte 8 is '-Infinity', which JSON does not have; write null or a "
       "number"},
      {"{\"a\": None}", "byte 7 is 'None', Python's word; write null"},
      {"{\"a\": True}", "byte 7 is 'True', Python's word; write true or false"},
      {"{'a': 1}", "byte 2 is ''', JSON puts texts in double quotes"},
      {"{\"a\": 1,}",
       "byte 9 is '}', perhaps after one comma too many; JSON has none before "
       "a "
       "closing bracket"},
      {"{\"a\": 1} // x", "byte 10 is '/', JSON has no comments"},
      {"{\"a\": 1} {\"a\": 2}", "byte 10 is '{'"},
      {"{\"a\": \"x\ty\"}",
       "byte 9 is the control character 0x09; inside a text write \\u0009"}};
  for (const auto& [line, fault] : kCases) {
    const std::string message = refusal(std::string("{}\n") + line + "\n");
    EXPECT_EQ(message.find("F:2: not JSON: " + std::string(fault)), 0u)
        << message;
  }
}

TEST_F(ReadExamples, RefusesNumbersThatAreTooLarge) {
  const std::string words =
      "F:2: a number is too large to read; write it in quotes, or remove it";
  EXPECT_EQ(refusal("{}\n{\"a\": 1e999}\n"), words);
  EXPECT_EQ(refusal("{}\n{\"a\": [{\"b\": -1e999}]}\n"), words);
}

TEST_F(ReadExamples, NamesHalfASurrogatePair) {
  EXPECT_EQ(
      refusal("{}\n{\"a\":\"a\\ud83d b\"}\n"),
      "F:2: not JSON: byte 8 is \\ud83d, half of a surrogate pair; write both "
      "halves, or remove it");
  EXPECT_EQ(
      refusal("{\"a\":\"\\ud83d\\ude00\\\\ud83d\\uDE00\"}\n"),
      "F:1: not JSON: byte 26 is \\uDE00, half of a surrogate pair; write both "
      "halves, or remove it");
  EXPECT_EQ(
      read_examples(write("{\"a\":\"\\ud83d\\ude00\"}\n"))[0].fields.at("a"),
      "\xF0\x9F\x98\x80");
}

TEST_F(ReadExamples, NamesOldMacLineEnds) {
  const std::string message = refusal("{\"a\":\"x\"}\r{\"a\":\"y\"}\r");
  const std::string stem = path_.parent_path() / path_.stem();
  EXPECT_EQ(
      message,
      "F: has old Mac line ends (CR); convert them: tr '\\r' '\\n' < " +
          path_.string() + " > " + stem + ".lines.jsonl");
}

// Where files that began with a byte order mark were joined.
TEST_F(ReadExamples, SkipsByteOrderMarksFurtherDown) {
  const auto examples =
      read_examples(write("{}\n\xEF\xBB\xBF{\"a\":\"x\"}\n\xEF\xBB\xBF\n"));
  ASSERT_EQ(examples.size(), 2u);
  EXPECT_EQ(examples[1].fields.at("a"), "x");
}

TEST_F(ReadExamples, NamesArchivesAndFilesOfPython) {
  using namespace std::string_literals;
  std::string tar = "a" + std::string(256, '\0') + "ustar\0"s;
  tar.resize(512);
  const std::string unpack = "unpack it: tar -xf " + write("").string();
  const std::string words = "F: is a tar archive, not JSON lines; " + unpack;
  EXPECT_EQ(refusal(tar), words);
  EXPECT_EQ(refusal(gzip(tar)), words);
  const std::string cure = "; write JSON lines with the program that made it";
  EXPECT_EQ(refusal("\x93NUMPY\x01\0v\0"s), "F: is a NumPy array" + cure);
  EXPECT_EQ(refusal("\x80\x04\x95\x10"s), "F: is a Python pickle" + cure);
  EXPECT_EQ(refusal("\x80\x02}q"s), "F: is a Python pickle" + cure);
}

TEST_F(ReadExamples, SaysWhichEncodingALineHas) {
  const std::string message = refusal("{}\n{\"a\":\"caf\xE9\"}\n");
  EXPECT_EQ(
      message.find(
          "F:2: not UTF-8: byte 10 is 0xE9; the file may be Latin-1 or "
          "Windows-1252, convert it: iconv -f WINDOWS-1252 -t UTF-8 "),
      0u)
      << message;
}

// A file of another format is named, with the command that converts it.
TEST_F(ReadExamples, NamesOtherFormats) {
  using namespace std::string_literals;
  const std::pair<std::string, const char*> kCases[] = {
      {"PAR1\x15\x04"s, "is a Parquet file; convert it to JSON lines: python3"},
      {"ARROW1\0\0"s, "is an Arrow file"},
      {"\xFF\xFE{\0}\0\n\0"s, "is UTF-16 text; convert it to UTF-8: iconv"},
      {"\xFE\xFF\0{\0}\0\n"s, "is UTF-16 text"},
      {"\xFF\xFE\0\0{\0\0\0"s, "is UTF-32 text"},
      {"{\0\"\0a\0\"\0"s, "is UTF-16LE text"},
      {"\0{\0\"\0a\0\""s, "is UTF-16BE text"},
      {"BZh91AY"s, "is compressed with bzip2; moft reads plain and gzip"},
      {"\x28\xB5\x2F\xFD\x04"s, "is compressed with zstd"},
      {"\xFD"
       "7zXZ\0"s,
       "is compressed with xz"},
      {"PK\x03\x04"s, "is a zip archive"},
      {"post,summary\nhello,hi\n"s, "is a table with commas (CSV)"},
      {"\xEF\xBB\xBFpost,summary\nhello,hi\n"s, "is a table with commas"},
      {"post\tsummary\nhello\thi\n"s, "is a table with tabs (TSV)"},
      {"[{\"post\": \"a\"}]\n"s, "is one JSON array, not JSON lines"},
      {"[\n  {\"post\": \"a\"}\n]\n"s, "is one JSON array"},
      {"{\n  \"post\": \"a\"\n}\n"s, "holds JSON objects over several lines"},
      {"version https://git-lfs.github.com/spec/v1\n"s, "is a Git LFS pointer"},
      {"<!DOCTYPE html>\n"s, "is a web page"}};
  for (const auto& [content, what] : kCases) {
    const std::string message = refusal(content);
    EXPECT_EQ(message.find("F: "s + what), 0u) << message;
    // `> FILE` would empty the file that the command is to read.
    EXPECT_EQ(message.find("> " + path_.string()), std::string::npos)
        << message;
  }
}

TEST_F(ReadExamples, NamesATablesSeparator) {
  const std::string semicolons = refusal("post;text\n1;2\n");
  EXPECT_EQ(semicolons.find("F:1: not JSON"), 0u) << semicolons;
  const std::string path = path_.string() + ".csv";
  std::ofstream(path) << "post;text\n1;2\n";
  try {
    read_examples(path);
    ADD_FAILURE() << "a table was read";
  } catch (const CallerError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("semicolons (CSV)"), std::string::npos) << message;
    EXPECT_NE(message.find("delimiter=';'"), std::string::npos) << message;
  }
  std::filesystem::remove(path);
  const std::string prose = refusal("Hello, world.\n");
  EXPECT_EQ(prose.find("F:1: not JSON: byte 1 is 'Hello'"), 0u) << prose;
}

// The name does not matter: these end in .jsonl.
TEST_F(ReadExamples, ReadsGzip) {
  const std::string first = "{\"post\":\"one\"}\n{\"post\":\"two\"}\n";
  const auto examples =
      read_examples(write(gzip(first) + gzip("{\"post\":\"three\"}")));
  ASSERT_EQ(examples.size(), 3u);
  EXPECT_EQ(examples[1].fields.at("post"), "two");
  EXPECT_EQ(examples[2].fields.at("post"), "three");
  EXPECT_EQ(examples[2].where, path_.string() + ":3");
  const std::string text(700'000, 'x');
  const std::string line = "{\"post\":\"" + text + "\"}\n";
  EXPECT_EQ(
      read_examples(write(gzip(line + line))).at(1).fields.at("post"), text);
}

TEST_F(ReadExamples, NamesDamagedGzip) {
  std::string packed = gzip("{\"post\":\"one two three\"}\n");
  EXPECT_EQ(
      refusal(packed.substr(0, packed.size() - 6)),
      "F: the gzip data is damaged or cut off (unexpected end); download or "
      "compress the file again");
  packed[packed.size() - 6] ^= 1;  // the checksum
  EXPECT_EQ(
      refusal(packed).find("F: the gzip data is damaged or cut off ("), 0u);
}

// gzread() leaves out such bytes, and a rest of the data with them.
TEST_F(ReadExamples, RefusesOtherBytesBehindGzip) {
  const std::string first = gzip("{\"post\":\"one\"}\n");
  const std::string words =
      "F: bytes after the gzip data are not gzip data; compress the file again";
  EXPECT_EQ(refusal(first + "{\"post\":\"two\"}\n"), words);
  EXPECT_EQ(refusal(first + "\n"), words);
  EXPECT_EQ(refusal(first + std::string(512, '\0') + "x"), words);
  std::string second = gzip("{\"post\":\"two\"}\n");
  for (const std::size_t at : {0u, 1u}) {
    std::string damaged = second;
    damaged[at] = '\x01';
    EXPECT_EQ(refusal(first + damaged), words) << at;
  }
  EXPECT_EQ(
      refusal(first + second.substr(0, 1)),
      "F: the gzip data is damaged or cut off (unexpected end); download or "
      "compress the file again");
  second[second.size() - 6] ^= 1;  // the checksum
  EXPECT_EQ(
      refusal(first + second),
      "F: the gzip data is damaged or cut off (incorrect data check); download "
      "or compress the file again");
}

TEST_F(ReadExamples, SkipsZerosBehindGzip) {
  const std::string zeros(700'000, '\0');
  const auto examples = read_examples(write(
      gzip("{\"post\":\"one\"}\n") + zeros + gzip("") +
      gzip("{\"post\":\"two\"}\n") + zeros));
  ASSERT_EQ(examples.size(), 2u);
  EXPECT_EQ(examples[1].fields.at("post"), "two");
}

// The commands unpack; gunzip takes no file that does not end in .gz, so it is
// given the data and not the name.
TEST_F(ReadExamples, ConvertsOtherFormatsInGzip) {
  using namespace std::string_literals;
  const std::string from = "gunzip -c < " + write("").string() + " | ";
  const std::string stem = path_.parent_path() / path_.stem();
  const std::tuple<std::string, std::string, std::string> kCases[] = {
      {"[{\"post\": \"a\"}]\n",
       from + "python3 -c \"import json, sys; ",
       "\" /dev/stdin > " + stem + ".lines.jsonl"},
      {"post,summary\nhello,hi\n",
       from + "python3 -c \"import csv, json, sys; ",
       "\" /dev/stdin > " + stem + ".lines.jsonl"},
      {"{\n  \"post\": \"a\"\n}\n",
       "write one object per line: " + from + "jq -c . > ",
       " > " + stem + ".lines.jsonl"},
      {"\xFF\xFE{\0}\0\n\0"s,
       "UTF-8: " + from + "iconv -f UTF-16 -t UTF-8 > ",
       " > " + stem + ".utf8.jsonl"},
      {"PAR1\x15\x04",
       "F: is a Parquet file inside gzip data; unpack it first: gunzip -c < ",
       " > " + path_.string() + ".unpacked"}};
  for (const auto& [content, command, target] : kCases) {
    const std::string message = refusal(gzip(content));
    EXPECT_NE(message.find(command), std::string::npos) << message;
    EXPECT_TRUE(message.ends_with(target)) << message;
  }
}

TEST_F(ReadExamples, ConvertsATableCalledCsvGz) {
  const std::string stem = write("").string();
  const std::string path = stem + ".csv.gz";
  std::ofstream(path, std::ios::binary) << gzip("post;text\n1;2\n");
  std::string message;
  try {
    read_examples(path);
  } catch (const CallerError& error) {
    message = error.what();
  }
  std::filesystem::remove(path);
  EXPECT_EQ(
      message.find(
          path +
          ": is a table with semicolons (CSV), not JSON lines; convert "
          "it: gunzip -c < " +
          path + " | python3 -c \""),
      0u)
      << message;
  EXPECT_TRUE(message.ends_with("\" /dev/stdin > " + stem + ".jsonl"))
      << message;
}

TEST_F(ReadExamples, SeveralFilesAreReadInOrder) {
  const std::string a = write("{\"id\":\"x\"}\n{}\n").string();
  const std::string b = a + ".second";
  std::ofstream(b) << "{\"id\":\"x\"}\n{}\n";
  const auto both = read_examples(std::vector<std::string>{a, b});
  ASSERT_EQ(both.size(), 4u);
  EXPECT_EQ(both[0].id, "x");
  EXPECT_EQ(both[2].id, "x");
  const std::string name = path_.filename().string();
  EXPECT_EQ(both[1].id, name + ":2");
  EXPECT_EQ(both[3].id, name + ".second:2");
  EXPECT_EQ(both[3].where, b + ":2");
  EXPECT_EQ(read_examples(std::vector<std::string>{a})[1].id, "2");
  std::filesystem::remove(b);
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
  example.other_fields = {{"gone", "null"}, {"list", "array"}};
  EXPECT_EQ(
      field_refusal(example, "gone"),
      "a.jsonl:4: the prompt template needs the field 'gone' as text, but it "
      "is null; fill it in, or remove the line");
  EXPECT_EQ(
      field_refusal(example, "list"),
      "a.jsonl:4: the prompt template needs the field 'list' as text, but it "
      "is a list; join it into one text");
}

// A file that is one object with all examples in a list.
TEST_F(ReadExamples, ListsOfObjectsAreNamed) {
  const std::string path =
      write("{\"version\":\"1\",\"data\":[{\"a\":\"x\"}]}\n").string();
  const std::string target =
      (path_.parent_path() / path_.stem()).string() + ".lines.jsonl";
  EXPECT_EQ(
      field_refusal(read_examples(path_)[0], "post"),
      path +
          ":1: the prompt template needs the field 'post', which this example "
          "does not have; its field 'data' is a list of objects; if those are "
          "the examples, write one per line: jq -c '.data[]' " +
          path + " > " + target);
  write("{\"it is\":[{\"a\":\"x\"}]}\n{\"data\":[{\"a\":\"x\"}]}\n");
  const auto examples = read_examples(path_);
  EXPECT_NE(
      field_refusal(examples[0], "post").find("jq -c '.\"it is\"[]' " + path),
      std::string::npos);
  EXPECT_NE(
      field_refusal(examples[1], "post").find("it has no text fields"),
      std::string::npos);
  EXPECT_NE(
      field_refusal(examples[1], "data").find("is a list; join it"),
      std::string::npos);
}

TEST_F(ReadExamples, ChatMessagesAreNamed) {
  const auto examples = read_examples(write(
      "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}\n"
      "{\"conversations\": [{\"from\": \"human\", \"value\": \"hi\"}]}\n"));
  EXPECT_NE(
      field_refusal(examples[0], "post")
          .find("its field 'messages' is a list of chat messages; "
                "'messages.user' is the last user's text, 'messages.answer' "
                "the answer to it"),
      std::string::npos)
      << field_refusal(examples[0], "post");
  EXPECT_NE(
      field_refusal(examples[0], "messages").find("is a list of chat messages"),
      std::string::npos);
  EXPECT_NE(
      field_refusal(examples[1], "conversations")
          .find("'conversations.user' is the last user's text"),
      std::string::npos);
  EXPECT_EQ(text_field(examples[0], "messages.user", "a test"), "hi");
  EXPECT_EQ(text_field(examples[1], "conversations.user", "a test"), "hi");
}

}  // namespace
}  // namespace moft
