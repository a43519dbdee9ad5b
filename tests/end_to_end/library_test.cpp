// moft as a library: what `cmake --install` installs, and the programs of
// examples/ built against it.
#include <cstdlib>

#include <gtest/gtest.h>

#include "tests/end_to_end/support.h"
#include "tests/support/tiny_model.h"

namespace moft::test {
namespace {

namespace fs = std::filesystem;

class Library : public testing::Test {
 protected:
  // Runs a shell command in the scratch folder; its output on failure.
  void run(const std::string& command) {
    const int code = std::system(
        ("cd " + folder().string() + " && (" + command + ") > log 2>&1")
            .c_str());
    ASSERT_EQ(code, 0) << command << "\n" << read_all(folder() / "log");
  }
  std::string said() const { return read_all(folder() / "log"); }
  const fs::path& folder() const { return scratch_.path(); }

  Scratch scratch_;
};

TEST_F(Library, ExamplesBuildAgainstTheInstalledPackageAndRun) {
  run("cmake --install " MOFT_BINARY_DIR " --prefix prefix");
  run("cmake -G Ninja -S " MOFT_SOURCE_DIR
      "/examples -B build -DCMAKE_BUILD_TYPE=Release "
      "-DCMAKE_PREFIX_PATH=$PWD/prefix && cmake --build build -j 2");

  // One answer for each of two weightings, the same every time.
  write_tiny_task(folder());
  run("prefix/bin/moft train recipe.yaml training.steps=2");
  const std::string answer = "build/answer run one a=0.8,b=0.2 a=0.2,b=0.8";
  run(answer);
  const std::string answers = said();
  EXPECT_EQ(answers.rfind("a=0.8,b=0.2: ", 0), 0u) << answers;
  EXPECT_NE(answers.find("\na=0.2,b=0.8: "), std::string::npos) << answers;
  run(answer);
  EXPECT_EQ(said(), answers);

  // The installed program finds the host of Python functions.
  write_tiny_text(
      folder() / "scores.py",
      "def score(completions, **columns):\n"
      "    return [0.0 for _ in completions]\n");
  run("prefix/bin/moft recipe check recipe.yaml "
      "'objectives={a: {python: {file: scores.py, function: score}}}'");
  fs::remove(folder() / "prefix/share/moft/reward_host.py");
  run("! prefix/bin/moft recipe check recipe.yaml "
      "'objectives={a: {python: {file: scores.py, function: score}}}'");
  EXPECT_TRUE(has(said(), "install moft with cmake --install")) << said();

  // A loop over the stages writes a policy that can be opened.
  run("build/own_loop recipe.yaml own training.steps=2");
  EXPECT_EQ(said().find("reward "), 0u) << said();
  run("build/answer own one a=0.8,b=0.2");
  EXPECT_EQ(said().rfind("a=0.8,b=0.2: ", 0), 0u) << said();

  // A reward kind of its own: two of three exclamation marks.
  std::string recipe = read_all(folder() / "recipe.yaml");
  const std::string kind = "    regex:\n      pattern: a\n";
  const std::size_t at = recipe.find(kind);
  ASSERT_NE(at, std::string::npos);
  recipe.replace(at, kind.size(), "    exclamations: {most: 3}\n");
  write_tiny_text(folder() / "own.yaml", recipe);
  run("build/own_reward own.yaml 'Ah! Oh!'");
  EXPECT_EQ(said(), "a: 0.666667\nb: 0\n");
}

// What another project gets that adds moft as a folder; nothing is compiled.
TEST_F(Library, AsASubdirectoryItSetsNoFlagsAndBuildsNoTests) {
  write_tiny_text(
      folder() / "CMakeLists.txt",
      R"(cmake_minimum_required(VERSION 3.22)
project(other LANGUAGES CXX)
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DOTHER")
add_subdirectory(")" MOFT_SOURCE_DIR
      R"(" moft)
foreach(_target IN ITEMS moft::moft moft::core moft::rewards moft::recipes)
  if(NOT TARGET ${_target})
    message(FATAL_ERROR "no ${_target}")
  endif()
endforeach()
foreach(_target IN ITEMS moft core_test workloads)
  if(TARGET ${_target})
    message(FATAL_ERROR "${_target} is built")
  endif()
endforeach()
if(CMAKE_BUILD_TYPE OR CMAKE_EXPORT_COMPILE_COMMANDS OR
   NOT CMAKE_CXX_FLAGS_RELEASE STREQUAL "-O3 -DOTHER")
  message(FATAL_ERROR "a flag of this project was set")
endif()
)");
  run("cmake -G Ninja -S . -B build -DMOFT_TESTS=ON -DMOFT_BENCHMARKS=ON");
}

}  // namespace
}  // namespace moft::test
