#include "moft/core/file_watch.h"

#include <chrono>
#include <fstream>

#include <gtest/gtest.h>

#include "moft/core/errors.h"
#include "moft/core/files.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

class FileWatchTest : public testing::Test {
 protected:
  FileWatchTest() {
    std::string pattern =
        (fs::temp_directory_path() / "moft-watch-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    file_ = folder_ / "weights";
    std::ofstream(file_) << "0123456789";
  }
  ~FileWatchTest() override { fs::remove_all(folder_); }

  void set_time(std::chrono::hours back) const {
    fs::last_write_time(file_, fs::file_time_type::clock::now() - back);
  }
  std::string refusal(FileWatch& watch) const {
    try {
      watch.check();
    } catch (const WorldError& error) {
      return error.what();
    }
    return "unchanged";
  }

  fs::path folder_;
  fs::path file_;
};

TEST_F(FileWatchTest, OnlyAnotherContentIsAChange) {
  FileWatch watch;
  EXPECT_EQ(watch.add(file_), hash_file(file_));
  EXPECT_EQ(refusal(watch), "unchanged");
  set_time(std::chrono::hours(3));  // touched
  EXPECT_EQ(refusal(watch), "unchanged");
  fs::copy_file(file_, folder_ / "copy");
  fs::rename(folder_ / "copy", file_);  // replaced by the same
  EXPECT_EQ(refusal(watch), "unchanged");
  fs::create_hard_link(file_, folder_ / "link");
  EXPECT_EQ(refusal(watch), "unchanged");
}

TEST_F(FileWatchTest, AChangedOrMissingFileIsNamed) {
  FileWatch watch;
  watch.add(file_);
  set_time(std::chrono::hours(3));
  watch.check();
  std::ofstream(file_) << "0123456780";  // the same size, in place
  EXPECT_NE(refusal(watch).find(file_.string() + ": was changed"), -1UL);
  std::ofstream(file_) << "0123456789";
  EXPECT_EQ(refusal(watch), "unchanged");
  fs::remove(file_);
  EXPECT_NE(refusal(watch).find(file_.string() + ": was removed"), -1UL);
}

TEST_F(FileWatchTest, TheStateIsThatOfTheFileBehindALink) {
  fs::create_symlink(file_, folder_ / "link");
  EXPECT_EQ(file_state(folder_ / "link"), file_state(file_));
  EXPECT_EQ(file_state(file_).bytes, 10);
  EXPECT_THROW(file_state(folder_ / "none"), CallerError);
}

}  // namespace
}  // namespace moft
