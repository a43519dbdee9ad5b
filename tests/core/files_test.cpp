#include "moft/core/files.h"

#include <csignal>
#include <fstream>
#include <set>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/temporaries.h"

namespace moft {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern =
        (fs::temp_directory_path() / "moft-files-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::set<std::string> listing() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_))
      names.insert(entry.path().filename().string());
    return names;
  }
  void put(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }

  fs::path folder_;
};

using Names = std::set<std::string>;

template <typename Error, typename Action>
void expect_refusal(Action action, const std::string& words) {
  try {
    action();
    ADD_FAILURE() << "nothing was thrown; expected: " << words;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos)
        << error.what();
  }
}

// A process id that is certainly free: its process has been waited for.
pid_t dead_process() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return child;
}

TEST_F(Files, MapsAFileAndAnEmptyOne) {
  put("a", "hello");
  put("empty", "");
  MappedFile file(folder_ / "a");
  const auto* address = file.bytes().data();
  const MappedFile moved(std::move(file));
  EXPECT_EQ(moved.text(), "hello");
  EXPECT_EQ(moved.bytes().data(), address);
  EXPECT_TRUE(MappedFile(folder_ / "empty").bytes().empty());
}

TEST_F(Files, RefusesToMapWhatIsNoFile) {
  expect_refusal<CallerError>(
      [&] { MappedFile(folder_ / "absent"); }, "there is no such file");
  expect_refusal<CallerError>(
      [&] { MappedFile file(folder_); }, "is a directory");
  expect_refusal<CallerError>(
      [] { MappedFile("/dev/null"); }, "not a regular file");
  // Nobody writes to this pipe: opening it must not wait for ever.
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  expect_refusal<CallerError>(
      [&] { MappedFile(folder_ / "pipe"); }, "not a regular file");
  expect_refusal<CallerError>(
      [] { MappedFile("/dev/null/x"); }, "Not a directory");
}

TEST_F(Files, ReadsTextUpToItsLimit) {
  const std::string text =
      std::string("a\0b\r\n", 5) + std::string(100000, 'x');
  put("a", text);
  EXPECT_EQ(read_text(folder_ / "a"), text);
  EXPECT_EQ(read_text(folder_ / "a", text.size()), text);
  expect_refusal<CallerError>(
      [&] { read_text(folder_ / "a", 99999); }, "larger than the 99999 bytes");
  expect_refusal<CallerError>([&] { read_text(folder_); }, "is a directory");
}

TEST_F(Files, AtomicFileAppearsOnlyWhenCommitted) {
  put("a", "old");
  {
    AtomicFile file(folder_ / "a");
    file.write(std::string_view("new "));
    file.write(std::string_view("text"));
    EXPECT_EQ(read_text(folder_ / "a"), "old");
    EXPECT_EQ(listing().size(), 2u);
    file.commit();
    EXPECT_EQ(read_text(folder_ / "a"), "new text");
  }
  EXPECT_EQ(listing(), Names{"a"});
  { AtomicFile(folder_ / "b").write(std::string_view("dropped")); }
  EXPECT_EQ(listing(), Names{"a"});
  write_atomically(folder_ / "a", std::string_view("third"));
  EXPECT_EQ(read_text(folder_ / "a"), "third");
}

TEST_F(Files, AtomicFileRefusesBadTargets) {
  expect_refusal<WorldError>(
      [&] { write_atomically(folder_ / "no/a", std::string_view("x")); },
      "No such file or directory");
  expect_refusal<CallerError>(
      [&] { write_atomically(folder_, std::string_view("x")); },
      "is a directory");
  expect_refusal<CallerError>(
      [] { write_atomically("..", std::string_view("x")); }, "does not name");
}

// A file-size limit stands for the full disk: write() fails half-way, in a
// child process, so that the limit stays there.
TEST_F(Files, FailedWriteLeavesNeitherFileNorTemporary) {
  put("a", "old");
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100000, 100000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int failures = 0;
    for (const std::string name : {"a", "b"}) {
      try {
        write_atomically(folder_ / name, std::string(300000, 'x'));
      } catch (const WorldError& error) {
        const std::string message = error.what();
        failures +=
            message.find("File too large") != std::string::npos &&
            message.find((folder_ / name).string()) != std::string::npos;
      }
    }
    ::_exit(failures);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 2);
  EXPECT_EQ(listing(), Names{"a"});
  EXPECT_EQ(read_text(folder_ / "a"), "old");
}

// Killed between the first byte and the commit: the old file is whole, and the
// next writer sweeps up.
TEST_F(Files, KilledWriterLeavesTheOldFileAndItsTemporaryIsCleaned) {
  put("a", "old");
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicFile file(folder_ / "a");
    file.write(std::string_view("half"));
    ::raise(SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(read_text(folder_ / "a"), "old");
  EXPECT_EQ(listing().size(), 2u);
  write_atomically(folder_ / "a", std::string_view("new"));
  EXPECT_EQ(listing(), Names{"a"});
}

TEST_F(Files, OnlyTemporariesOfDeadProcessesAreStale) {
  const auto dead = std::to_string(dead_process());
  const auto own = std::to_string(::getpid());
  put(".a.tmp-" + dead + "-0", "");
  put(".b.tmp-" + dead + "-3", "");
  put(".c.tmp-" + own + "-999999", "");  // an earlier process with our id
  const Names kept = {
      ".a.tmp-1-0",  // process 1 lives
      ".a.tmp-x",
      ".a.tmp-",
      ".a.tmp-" + dead + "x",
      "a.tmp-" + dead,
      ".hidden"};
  for (const auto& name : kept)
    put(name, "");
  fs::create_directories(folder_ / (".d.tmp-" + dead) / "sub");
  AtomicFile alive(folder_ / "e");
  remove_stale_temporaries(folder_);
  auto left = listing();
  EXPECT_EQ(left.size(), kept.size() + 1);
  for (const auto& name : kept)
    EXPECT_EQ(left.count(name), 1u) << name;
  remove_stale_temporaries(folder_ / "absent");
  alive.commit();
}

// The part of a temporary's name that says which kernel it belongs to.
std::string boot_of(const fs::path& folder) {
  const Temporary made(folder / "x", Temporary::Kind::kFile);
  const std::string name = made.path().filename();
  return name.substr(name.rfind('-') + 1);
}

// Seen from another container a live writer's process does not exist: its
// lock counts, not its id.
TEST_F(Files, ATemporaryThatSomebodyHoldsIsNotStale) {
  const auto dead = std::to_string(dead_process());
  const std::string file = ".a.tmp-" + dead + "-0-" + boot_of(folder_);
  const std::string directory = ".d.tmp-" + dead + "-1-" + boot_of(folder_);
  put(file, "half");
  fs::create_directory(folder_ / directory);
  const int held = ::open((folder_ / file).c_str(), O_WRONLY);
  const int held_directory = ::open((folder_ / directory).c_str(), O_RDONLY);
  ASSERT_EQ(::flock(held, LOCK_EX), 0);
  ASSERT_EQ(::flock(held_directory, LOCK_EX), 0);
  remove_stale_temporaries(folder_);
  write_atomically(folder_ / "a", std::string_view("other"));
  EXPECT_EQ(listing(), (Names{file, directory, "a"}));
  ::close(held);
  ::close(held_directory);
  remove_stale_temporaries(folder_);
  EXPECT_EQ(listing(), Names{"a"});
}

// Another kernel's locks may not reach us: its temporaries have to be old too.
TEST_F(Files, ATemporaryOfAnotherMachineIsStaleAfterADay) {
  const std::string name = ".a.tmp-123-0-0badcafe";
  put(name, "half");
  remove_stale_temporaries(folder_);
  EXPECT_EQ(listing(), Names{name});
  fs::last_write_time(
      folder_ / name,
      fs::file_time_type::clock::now() - std::chrono::hours(30));
  remove_stale_temporaries(folder_);
  EXPECT_EQ(listing(), Names{});
}

// A live process's own writer, cleaned up after by another process.
TEST_F(Files, AnotherProcessLeavesALiveWriterItsTemporary) {
  AtomicFile file(folder_ / "a");
  file.write(std::string_view("new"));
  AtomicDirectory directory(folder_ / "d");
  const pid_t child = ::fork();
  if (child == 0) {
    remove_stale_temporaries(folder_);
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  file.commit();
  directory.commit();
  EXPECT_EQ(listing(), (Names{"a", "d"}));
}

TEST_F(Files, AReplacedDirectoryKeepsWhatOthersPutThere) {
  fs::create_directories(folder_ / "d/sub/deep");
  put("d/own", "old");
  put("d/gone", "old");
  put("d/theirs", "mine");
  put("d/sub/deep/notes", "mine too");
  fs::create_symlink("theirs", folder_ / "d/link");
  AtomicDirectory directory(folder_ / "d", IfExists::kReplace);
  std::ofstream(directory.building() / "own") << "new";
  directory.keep_others(
      [](const std::string& name) { return name == "own" || name == "gone"; });
  directory.commit();
  EXPECT_EQ(read_text(folder_ / "d/own"), "new");
  EXPECT_FALSE(fs::exists(folder_ / "d/gone"));
  EXPECT_EQ(read_text(folder_ / "d/theirs"), "mine");
  EXPECT_EQ(read_text(folder_ / "d/sub/deep/notes"), "mine too");
  EXPECT_EQ(fs::read_symlink(folder_ / "d/link"), "theirs");
  EXPECT_EQ(listing(), Names{"d"});
}

TEST_F(Files, AtomicDirectoryAppearsWhole) {
  {
    AtomicDirectory directory(folder_ / "policy/");
    fs::create_directory(directory.building() / "sub");
    std::ofstream(directory.building() / "sub/a") << "x";
    EXPECT_FALSE(fs::exists(folder_ / "policy"));
    directory.commit();
  }
  EXPECT_EQ(listing(), Names{"policy"});
  EXPECT_EQ(read_text(folder_ / "policy/sub/a"), "x");
  { AtomicDirectory dropped(folder_ / "other"); }
  EXPECT_EQ(listing(), Names{"policy"});
  expect_refusal<CallerError>(
      [&] { AtomicDirectory(folder_ / "policy"); }, "exists already");
}

TEST_F(Files, AtomicDirectoryReplaces) {
  for (const std::string text : {"one", "two"}) {
    AtomicDirectory directory(folder_ / "d", IfExists::kReplace);
    std::ofstream(directory.building() / text) << text;
    directory.commit();
  }
  EXPECT_EQ(listing(), Names{"d"});
  EXPECT_EQ(read_text(folder_ / "d/two"), "two");
  EXPECT_FALSE(fs::exists(folder_ / "d/one"));
  put("file", "x");
  expect_refusal<CallerError>(
      [&] { AtomicDirectory(folder_ / "file", IfExists::kReplace); },
      "not a directory");
}

// A directory set aside by a replacement that a crash cut in two.
TEST_F(Files, AtomicDirectoryPutsBackWhatACrashSetAside) {
  fs::create_directory(folder_ / ".d.replaced");
  put(".d.replaced/a", "old");
  expect_refusal<CallerError>(
      [&] { AtomicDirectory(folder_ / "d"); }, "exists already");
  EXPECT_EQ(read_text(folder_ / "d/a"), "old");
  fs::create_directory(folder_ / ".d.replaced");
  { AtomicDirectory again(folder_ / "d", IfExists::kReplace); }
  EXPECT_EQ(listing(), Names{"d"});
}

TEST_F(Files, FreeSpaceIsCheckedEvenForPathsToBe) {
  require_free_space(folder_ / "not/yet/there", 1);
  expect_refusal<WorldError>(
      [&] { require_free_space(folder_ / "not/yet", 1ull << 62); },
      "4611686018427387904 bytes are needed");
}

TEST_F(Files, LinksWithinAFileSystemAndCopiesAcross) {
  put("a", "content");
  EXPECT_TRUE(hard_link_or_copy(folder_ / "a", folder_ / "b"));
  EXPECT_TRUE(fs::equivalent(folder_ / "a", folder_ / "b"));
  fs::create_symlink("a", folder_ / "s");
  EXPECT_TRUE(hard_link_or_copy(folder_ / "s", folder_ / "c"));
  EXPECT_TRUE(fs::equivalent(folder_ / "a", folder_ / "c"));
  expect_refusal<CallerError>(
      [&] { hard_link_or_copy(folder_ / "a", folder_ / "b"); },
      "exists already");
  expect_refusal<CallerError>(
      [&] { hard_link_or_copy(folder_ / "absent", folder_ / "d"); },
      "cannot be linked");
  struct stat here {
  }, there{};
  ::stat(folder_.c_str(), &here);
  if (::stat("/dev/shm", &there) != 0 || here.st_dev == there.st_dev)
    GTEST_SKIP() << "no second file system for the copy";
  const fs::path far = "/dev/shm/moft-" + folder_.filename().string();
  EXPECT_FALSE(hard_link_or_copy(folder_ / "a", far));
  EXPECT_EQ(read_text(far), "content");
  fs::remove(far);
}

// XXH3-128 of nothing and of "a", from the algorithm's reference program.
TEST_F(Files, HashesAreThoseOfXxh128sum) {
  put("empty", "");
  put("a", "a");
  EXPECT_EQ(hash_file(folder_ / "empty"), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(hash_file(folder_ / "a"), "a96faf705af16834e6c632b61e964e1f");
}

TEST_F(Files, WritableDirectoriesAreMadeAndProven) {
  ensure_writable_directory(folder_ / "x/y");
  EXPECT_TRUE(fs::is_directory(folder_ / "x/y"));
  EXPECT_TRUE(fs::is_empty(folder_ / "x/y"));
  put("file", "x");
  expect_refusal<CallerError>(
      [&] { ensure_writable_directory(folder_ / "file"); },
      "a file is in its way");
  expect_refusal<CallerError>(
      [&] { ensure_writable_directory(folder_ / "file/sub"); },
      "a file is in its way");
  if (!fs::is_directory("/proc/self")) return;
  expect_refusal<WorldError>(
      [] { ensure_writable_directory("/proc/self"); }, "cannot be written to");
}

TEST_F(Files, PointersOfGitLfsAreNotTakenForTheFile) {
  put("x", "version https://git-lfs.github.com/spec/v1\noid sha256:12\n");
  const auto refuses = [](auto action) {
    expect_refusal<CallerError>(action, "git lfs pull");
  };
  refuses([&] { read_text(folder_ / "x"); });
  refuses([&] { MappedFile file(folder_ / "x"); });
  put("x", "../../blobs/e661efc28217e3bb6d05613aacd05e78");
  expect_refusal<CallerError>([&] { read_text(folder_ / "x"); }, "its links");
  put("x", "the version https://git-lfs.github.com/spec/v1");
  EXPECT_EQ(read_text(folder_ / "x").size(), 46u);
}

}  // namespace
}  // namespace moft
