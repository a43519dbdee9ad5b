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

  write_tiny_task(folder());
  run("prefix/bin/moft train recipe.yaml training.steps=2");
  // One answer for each of two weightings, the same every time.
  run("build/answer run/policy 'one is '");
  const std::string answers = said();
  EXPECT_NE(answers.find("0.8"), std::string::npos) << answers;
  run("build/answer run/policy 'one is '");
  EXPECT_EQ(said(), answers);
}

}  // namespace
}  // namespace moft::test
