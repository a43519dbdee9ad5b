// A section whose struct is chosen at run time.
#include "moft/core/any_options.h"

#include <set>
#include <typeinfo>

#include <gtest/gtest.h>

#include "moft/core/fields.h"

namespace moft {
namespace {

struct Size {
  std::int64_t width = 3;
  std::string file;

  template <class V>
  void fields(V& v) {
    v("width", width, Help{"a width"}, at_least(1));
    v("file", file, Help{"a file"}, Path{});
  }
  void check(const std::string& path) const {
    if (width == 13) throw CallerError(path + "width is unlucky");
  }
};

struct Whole {
  AnyOptions size = AnyOptions::absent<Size>();
  bool last = true;

  template <class V>
  void fields(V& v) {
    v("size", size, Help{"the size"});
    v("last", last, Help{"a flag"});
  }
};

TEST(AnyOptions, AbsentOnesAreLeftOut) {
  EXPECT_EQ(print_options(Whole{}), "last: true\n");
  check_options(Whole{}, "x");
  EXPECT_TRUE(path_keys(Whole{}).empty());
}

TEST(AnyOptions, AreReadOverWhatIsThere) {
  Whole whole;
  read_options(whole, "size: {file: a.txt}", "r.yaml");
  ASSERT_TRUE(static_cast<bool>(whole.size));
  override_option(whole, "size.width=7");
  EXPECT_EQ(whole.size.get<Size>().width, 7);
  EXPECT_EQ(whole.size.get<Size>().file, "a.txt");
  EXPECT_EQ(path_keys(whole), (std::set<std::string>{"size.file"}));
  EXPECT_EQ(
      print_options(whole), "size:\n  width: 7\n  file: a.txt\nlast: true\n");
  override_option(whole, "size=null");
  EXPECT_FALSE(static_cast<bool>(whole.size));
}

TEST(AnyOptions, CopiesAreSeparate) {
  Whole whole;
  whole.size.set(Size{.width = 5, .file = {}});
  Whole copy = whole;
  copy.size.get<Size>().width = 6;
  EXPECT_EQ(whole.size.get<Size>().width, 5);
  EXPECT_EQ(
      differing_options(whole, copy), (std::vector<std::string>{"size.width"}));
  EXPECT_THROW(copy.size.get<Whole>(), std::bad_cast);
}

TEST(AnyOptions, AreCheckedByTheirStruct) {
  const auto refusal = [](const std::string& assignment) -> std::string {
    try {
      Whole whole;
      override_option(whole, assignment);
      check_options(whole, "x");
    } catch (const CallerError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(refusal("size.width=13"), "x: size.width is unlucky");
  EXPECT_EQ(
      refusal("size.width=0"),
      "override 'size.width=0': size.width is 0; give a whole number of at "
      "least 1");
  EXPECT_EQ(
      refusal("size=3"),
      "override 'size=3': size is 3; give a section of the form 'key: value'");
}

}  // namespace
}  // namespace moft
