// Hugging Face directories: which files count, and what is refused.
#include "moft/checkpoints/hf_directory.h"

#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "moft/checkpoints/model_folder.h"
#include "moft/checkpoints/safetensors_writer.h"

#include "tests/checkpoints/support.h"

namespace moft {
namespace {

using test::fixture;
using test::put;
using test::TemporaryFolder;

namespace fs = std::filesystem;

void put_tensor(
    const fs::path& path, const std::string& name, const float& value) {
  write_safetensors(path, {{name, TensorType::kF32, {1}, [&] {
                              return std::as_bytes(std::span(&value, 1));
                            }}});
}

// A tiny Llama that transformers saved in three shards.
TEST(HfDirectory, ReadsShardsOfTransformers) {
  const HfDirectory directory(fixture("sharded"));
  EXPECT_EQ(directory.config()["model_type"], "llama");
  EXPECT_EQ(directory.config()["hidden_size"], 16);
  ASSERT_TRUE(directory.generation_config().has_value());
  EXPECT_EQ(directory.weight_files().size(), 4u);
  const auto sums =
      nlohmann::json::parse(read_text(fixture("sharded_sums.json")));
  EXPECT_EQ(directory.names().size(), sums.size());
  for (const auto& [name, sum] : sums.items()) {
    const auto view = directory.find(name);
    ASSERT_TRUE(view.has_value()) << name;
    EXPECT_EQ(view->type, TensorType::kBF16);
    EXPECT_EQ(
        fmt::format("{:016x}", test::checksum(test::floats_of(*view))), sum)
        << name;
  }
  EXPECT_FALSE(directory.find("absent").has_value());
}

TEST(HfDirectory, ReadsASingleFile) {
  const TemporaryFolder folder;
  put(folder / "config.json", R"({"model_type": "llama"})");
  put_tensor(folder / "model.safetensors", "x", 3.0f);
  const HfDirectory directory(folder.path());
  EXPECT_EQ(directory.names(), std::vector<std::string>{"x"});
  EXPECT_EQ(test::floats_of(*directory.find("x")), std::vector<float>{3.0f});
  EXPECT_FALSE(directory.generation_config().has_value());
}

void expect_refused(
    const TemporaryFolder& folder, const std::vector<std::string>& words) {
  test::expect_refusal([&] { HfDirectory directory(folder.path()); }, words);
}

TEST(HfDirectory, NamesWhatIsMissingOrBroken) {
  const TemporaryFolder folder;
  test::expect_refusal(
      [&] { HfDirectory directory(folder / "absent"); },
      {"absent", "not a directory"});
  expect_refused(folder, {"config.json", "no such file"});
  put(folder / "config.json", "{");
  expect_refused(folder, {"config.json", "not valid JSON"});
  put(folder / "config.json", "[]");
  expect_refused(folder, {"config.json", "not an object"});
  put(folder / "config.json", R"({"a": 1, "b": {"c": 1, "c": 2}})");
  expect_refused(folder, {"config.json", "key 'c' stands twice"});
  put(folder / "config.json", R"({"a": {"c": 1}, "b": {"c": 2}})");
  expect_refused(folder, {"neither model.safetensors", "download"});
  // What lies there instead decides what to do.
  const std::map<std::string, std::string> cures = {
      {"pytorch_model.bin", "save_pretrained"},
      {"model.fp16.safetensors", "rename it to model.safetensors"},
      {"model-00001-of-00002.safetensors", "its index is missing"},
      {"model.safetensors.incomplete", "download it again"}};
  for (const auto& [name, cure] : cures) {
    put(folder / name, "x");
    expect_refused(folder, {"neither model.safetensors", name, cure});
    fs::remove(folder / name);
  }
  put(folder / "generation_config.json", "nan");
  expect_refused(folder, {"generation_config.json", "not valid JSON"});
  fs::remove(folder / "generation_config.json");
  put(folder / "model.safetensors", "not one");
  expect_refused(folder, {"model.safetensors", "too short"});
}

TEST(HfDirectory, ChecksTheIndexAgainstTheShards) {
  const TemporaryFolder folder;
  const auto index = [&](const std::string& map) {
    put(folder / "model.safetensors.index.json",
        R"({"weight_map":)" + map + "}");
  };
  put(folder / "config.json", "{}");
  put_tensor(folder / "one.safetensors", "x", 1.0f);
  put_tensor(folder / "two.safetensors", "y", 2.0f);
  index("{}");
  expect_refused(folder, {"index.json", "weight_map"});
  index(R"({"x": 1})");
  expect_refused(folder, {"'x'", "not a text"});
  index(R"({"x": "three.safetensors"})");
  expect_refused(folder, {"'three.safetensors'", "missing"});
  index(R"({"x": "one.safetensors", "z": "one.safetensors"})");
  expect_refused(folder, {"'z'", "listed but absent", "one.safetensors"});
  index(R"({"x": "two.safetensors"})");
  expect_refused(folder, {"'x'", "listed but absent", "two.safetensors"});
  index(R"({"x": "one.safetensors", "x": "two.safetensors"})");
  expect_refused(folder, {"key 'x' stands twice"});
  for (const std::string name :
       {"../one.safetensors",
        "/etc/passwd",
        "",
        "..",
        ".",
        "a\\\\b",
        "one.safetensors\\u0000"}) {
    index(R"({"x": ")" + name + "\"}");
    expect_refused(folder, {"not a plain file name"});
  }
  index(R"({"x": "one.safetensors", "y": "two.safetensors"})");
  const HfDirectory directory(folder.path());
  EXPECT_EQ(test::floats_of(*directory.find("y")), std::vector<float>{2.0f});
}

// Each folder is one that people give instead of a model's.
TEST(HfDirectory, KnownFoldersAreRefusedWithTheCure) {
  const TemporaryFolder folder;
  const fs::path cache = folder / "models--a--b";
  fs::create_directories(cache / "snapshots" / "0123");
  expect_refused(folder, {"'models--a--b'", "give that folder"});
  const auto refuses = [&](const fs::path& path,
                           const std::vector<std::string>& words) {
    test::expect_refusal([&] { HfDirectory directory(path); }, words);
  };
  refuses(cache, {"Hugging Face cache", "snapshots/0123"});
  fs::create_directories(cache / "snapshots" / "4567");
  refuses(cache, {"snapshots/<hash>"});
  fs::create_directories(cache / "refs");
  put(cache / "refs" / "main", "4567\n");
  refuses(cache, {"snapshots/4567"});
  const fs::path adapter = folder / "adapter";
  fs::create_directories(adapter);
  put(adapter / "adapter_config.json", "{}");
  refuses(adapter, {"PEFT adapter", "merge_and_unload"});
  const fs::path outer = folder / "outer";
  fs::create_directories(outer / "checkpoint-5");
  put(outer / "checkpoint-5" / "config.json", "{}");
  refuses(outer, {"'checkpoint-5'", "give that folder"});
  put(outer / "x.Q4_K_M.gguf", "");
  refuses(outer, {"a GGUF file", "x.Q4_K_M.gguf"});
}

TEST(HfDirectory, AnAdapterBesideAModelIsAmbiguous) {
  const TemporaryFolder folder;
  put(folder / "config.json", "{}");
  put_tensor(folder / "model.safetensors", "x", 3.0f);
  put_tensor(folder / "adapter_model.safetensors", "y", 3.0f);
  expect_refused(folder, {"PEFT adapter", "move the adapter"});
}

TEST(HfDirectory, ASingleFileAndShardsAreAmbiguous) {
  const TemporaryFolder folder;
  put(folder / "config.json", "{}");
  put_tensor(folder / "model.safetensors", "x", 3.0f);
  const auto index = folder / "model.safetensors.index.json";
  put(index, R"({"weight_map": {"x": "model.safetensors"}})");
  EXPECT_EQ(HfDirectory(folder.path()).names().size(), 1u);
  put(index, R"({"weight_map": {"x": "model-00001-of-00002.safetensors"}})");
  expect_refused(folder, {"two models", "remove one"});
}

TEST(HfDirectory, PointersOfGitLfsAreNamed) {
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
  const TemporaryFolder folder;
  put(folder / "config.json", pointer);
  expect_refused(folder, {"config.json", "Git LFS pointer", "git lfs pull"});
  put(folder / "config.json", "{}");
  put(folder / "model.safetensors", pointer);
  expect_refused(folder, {"model.safetensors", "git lfs pull"});
}

TEST(FindModel, AFolderThatCouldMeanTwoModelsIsRefused) {
  const TemporaryFolder folder;
  const auto refuses = [&](const std::vector<std::string>& words) {
    test::expect_refusal([&] { find_model(folder.path()); }, words);
  };
  EXPECT_FALSE(find_model(folder.path()).gguf);
  put(folder / "model.gguf", "");
  EXPECT_EQ(find_model(folder.path()).path, folder / "model.gguf");
  put(folder / "model.safetensors", "");
  refuses({"model.gguf", "model.safetensors", "two models"});
  fs::remove(folder / "model.safetensors");
  put(folder / "other.gguf", "");
  refuses({"model.gguf", "other.gguf", "two models"});
  fs::remove(folder / "model.gguf");
  fs::remove(folder / "other.gguf");
  // A split model of ours, and one of another name.
  put(folder / "model-00001-of-00002.gguf", "");
  put(folder / "model-00002-of-00002.gguf", "");
  EXPECT_EQ(
      find_model(folder.path()).path, folder / "model-00001-of-00002.gguf");
  test::expect_refusal([&] { find_model(folder / "a/b"); }, {"no model at"});
}

}  // namespace
}  // namespace moft
