// safetensors files: what is read, and what damaged headers are refused for.
#include "moft/checkpoints/safetensors.h"

#include <algorithm>

#include "moft/checkpoints/safetensors_writer.h"

#include "tests/checkpoints/support.h"

namespace moft {
namespace {

using test::fixture;
using test::raw;
using test::TemporaryFolder;

std::string with_header(const std::string& header, const std::string& data) {
  return raw<std::uint64_t>(header.size()) + header + data;
}

TEST(SafetensorsFile, ReadsWhatThePythonLibraryWrote) {
  const SafetensorsFile file(fixture("types.safetensors"));
  EXPECT_EQ(file.metadata(), (Metadata{{"format", "pt"}}));
  EXPECT_EQ(file.names().size(), 13u);
  const auto longs = file.find("long");
  ASSERT_TRUE(longs.has_value());
  EXPECT_EQ(longs->type, TensorType::kI64);
  EXPECT_EQ(longs->shape, std::vector<std::int64_t>{7});
  std::int64_t values[7];
  std::memcpy(values, longs->bytes.data(), sizeof(values));
  for (int i = 0; i < 7; ++i)
    EXPECT_EQ(values[i], 17 * i);
  const auto flags = file.find("bool");
  EXPECT_EQ(flags->type, TensorType::kBool);
  EXPECT_EQ(flags->bytes[0], std::byte{1});
  EXPECT_EQ(flags->bytes[1], std::byte{0});
  EXPECT_EQ(file.find("scalar")->shape.size(), 0u);
  EXPECT_EQ(test::floats_of(*file.find("scalar")), std::vector<float>{2.5f});
  EXPECT_EQ(file.find("empty")->shape, (std::vector<std::int64_t>{0, 4}));
  EXPECT_TRUE(file.find("quote\"é\\").has_value());
  EXPECT_FALSE(file.find("absent").has_value());
}

// Its own tensors, handed over in reverse, come back as the identical file.
TEST(SafetensorsWriter, GivesTheBytesOfThePythonLibrary) {
  const TemporaryFolder folder;
  for (const std::string name : {"types", "types_as_float"}) {
    const auto source = fixture(name + ".safetensors");
    const SafetensorsFile original(source);
    std::vector<SafetensorsEntry> entries;
    for (const auto& tensor : original.names()) {
      const auto view = *original.find(tensor);
      entries.push_back(
          {tensor, view.type, view.shape, [view] { return view.bytes; }});
    }
    std::reverse(entries.begin(), entries.end());
    const auto written = folder / "out.safetensors";
    write_safetensors(written, entries, original.metadata());
    EXPECT_EQ(read_text(written), read_text(source)) << name;
  }
}

TEST(SafetensorsWriter, ProviderMayReuseOneBuffer) {
  const TemporaryFolder folder;
  std::vector<float> buffer(4);
  std::vector<SafetensorsEntry> entries;
  for (int i = 0; i < 3; ++i) {
    entries.push_back(
        {std::string(1, static_cast<char>('a' + i)),
         TensorType::kF32,
         {2, 2},
         [i, &buffer] {
           std::fill(buffer.begin(), buffer.end(), static_cast<float>(i));
           return std::as_bytes(std::span(buffer));
         }});
  }
  write_safetensors(folder / "x", entries);
  const SafetensorsFile file(folder / "x");
  EXPECT_EQ(test::floats_of(*file.find("a")), std::vector<float>(4, 0.0f));
  EXPECT_EQ(test::floats_of(*file.find("c")), std::vector<float>(4, 2.0f));
}

TEST(SafetensorsWriter, RefusesWhatItCannotWriteAndLeavesNothing) {
  const TemporaryFolder folder;
  const std::vector<std::byte> four(4), three(3);
  const auto write = [&](std::vector<SafetensorsEntry> entries) {
    return [&folder, entries] { write_safetensors(folder / "x", entries); };
  };
  const auto give = [](const auto& bytes) {
    return [&bytes] { return std::span<const std::byte>(bytes); };
  };
  test::expect_refusal(
      write(
          {{"a", TensorType::kF32, {1}, give(four)},
           {"a", TensorType::kI8, {4}, give(four)}}),
      {"duplicate", "'a'"});
  test::expect_refusal(
      write({{"__metadata__", TensorType::kF32, {1}, give(four)}}),
      {"reserved"});
  test::expect_refusal(
      write({{"q", TensorType::kQ4_1, {32}, give(four)}}), {"'q'", "Q4_1"});
  test::expect_refusal(
      write({{"s", TensorType::kF32, {1l << 62, 8}, give(four)}}),
      {"impossible shape"});
  test::expect_refusal(
      write({{"s", TensorType::kF32, {1}, give(three)}}),
      {"needs 4 bytes", "given 3"});
  test::expect_refusal(
      write({{"\xff", TensorType::kF32, {1}, give(four)}}), {"UTF-8"});
  EXPECT_TRUE(folder.listing().empty());
}

struct Lie {
  std::string file;
  std::vector<std::string> words;
};

std::string tensor(
    const std::string& shape,
    const std::string& offsets,
    const std::string& dtype = "F32") {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape +
         R"(,"data_offsets":)" + offsets + "}";
}

std::string one(const std::string& claims, const std::string& data) {
  return with_header(R"({"x":)" + claims + "}", data);
}

TEST(SafetensorsFile, EveryLieIsNamed) {
  const std::string four(4, '\0'), eight(8, '\0');
  const std::string good = tensor("[1]", "[0,4]");
  const std::vector<Lie> lies = {
      {"", {"too short"}},
      {"1234567", {"too short", "7 bytes"}},
      {raw<std::uint64_t>(100) + "{}", {"header of 100 bytes", "truncated"}},
      {raw<std::uint64_t>(~0ull) + "{}", {"header of", "allows"}},
      {raw<std::uint64_t>(1ull << 63) + "{}", {"header of", "allows"}},
      {with_header("", ""), {"not valid JSON"}},
      {with_header("[]", ""), {"not an object"}},
      {with_header("{\"x\":", ""), {"not valid JSON"}},
      {with_header("{\"\xff\":{}}", ""), {"not valid JSON"}},
      {with_header(std::string(100000, '['), ""), {"nested over 64"}},
      {with_header("{\"x\":" + good + ",\"x\":" + good + "}", four),
       {"stands twice", "'x'"}},
      {one(R"({"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]})",
           four),
       {"stands twice", "dtype"}},
      {one("3", four), {"'x'", "object"}},
      {one(R"({"shape":[1],"data_offsets":[0,4]})", four), {"lacks 'dtype'"}},
      {one(R"({"dtype":"F32","data_offsets":[0,4]})", four), {"lacks 'shape'"}},
      {one(R"({"dtype":"F32","shape":[1]})", four), {"lacks 'data_offsets'"}},
      {one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"y":1})", four),
       {"unknown field 'y'"}},
      {one(tensor("[1]", "[0,4]", "F8_E4M3"), four), {"'x'", "F8_E4M3"}},
      {one(R"({"dtype":4,"shape":[1],"data_offsets":[0,4]})", four),
       {"dtype is not a string"}},
      {one(tensor("4", "[0,4]"), four), {"shape is not a list"}},
      {one(tensor("[-1]", "[0,4]"), four), {"shape holds '-1'"}},
      {one(tensor("[1.5]", "[0,4]"), four), {"shape holds '1.5'"}},
      {one(tensor("[\"1\"]", "[0,4]"), four), {"shape holds"}},
      {one(tensor("[18446744073709551616]", "[0,4]"), four), {"shape holds"}},
      {one(tensor("[9223372036854775808]", "[0,4]"), four), {"overflows"}},
      {one(tensor("[4294967296,4294967296]", "[0,4]"), four), {"overflows"}},
      {one(tensor("[4611686018427387904]", "[0,0]"), four), {"overflows"}},
      {one(tensor("[1]", "[0]"), four), {"not a pair"}},
      {one(tensor("[1]", "[0,4,8]"), four), {"not a pair"}},
      {one(tensor("[1]", "[4,0]"), four), {"after its end"}},
      {one(tensor("[2]", "[0,8]"), four), {"outside the file", "truncated"}},
      {one(tensor("[1]", "[18446744073709551612,18446744073709551615]"), four),
       {"outside the file"}},
      {one(tensor("[2]", "[0,4]"), four), {"need 8 bytes", "gives 4"}},
      {with_header("{\"x\":" + good + ",\"y\":" + good + "}", four),
       {"overlaps"}},
      {one(tensor("[1]", "[4,8]"), eight), {"hole of 4 bytes"}},
      {one(good, eight), {"4 bytes after the last tensor"}},
      {with_header("{}", four), {"4 bytes after"}},
      {with_header(R"({"__metadata__":[]})", ""), {"__metadata__", "object"}},
      {with_header(R"({"__metadata__":{"a":1}})", ""),
       {"entry 'a' of __metadata__", "text"}},
  };
  const TemporaryFolder folder;
  for (const auto& lie : lies) {
    test::put(folder / "lie.safetensors", lie.file);
    auto words = lie.words;
    words.push_back("lie.safetensors");
    test::expect_refusal(
        [&] { SafetensorsFile file(folder / "lie.safetensors"); }, words);
  }
}

TEST(SafetensorsFile, EveryTruncationIsRefused) {
  const TemporaryFolder folder;
  const std::string whole = read_text(fixture("types.safetensors"));
  test::put(folder / "cut", whole);
  for (std::size_t length = whole.size(); length-- > 0;) {
    std::filesystem::resize_file(folder / "cut", length);
    EXPECT_THROW(SafetensorsFile(folder / "cut"), CallerError) << length;
  }
}

}  // namespace
}  // namespace moft
