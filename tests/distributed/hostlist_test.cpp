#include "moft/distributed/hostlist.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

using Hosts = std::vector<std::string>;
using Counts = std::vector<std::int64_t>;

std::string refusal_of(const std::string& list) {
  try {
    expand_hosts(list, "NODELIST");
  } catch (const CallerError& error) {
    return error.what();
  }
  return "";
}

TEST(Hostlist, ExpandsWhatScontrolPrints) {
  EXPECT_EQ(expand_hosts("x", ""), Hosts{"x"});
  EXPECT_EQ(expand_hosts("a,b", ""), (Hosts{"a", "b"}));
  EXPECT_EQ(
      expand_hosts("node[01-03,7],x", ""),
      (Hosts{"node01", "node02", "node03", "node7", "x"}));
  EXPECT_EQ(
      expand_hosts("n[08-10]-ib", ""), (Hosts{"n08-ib", "n09-ib", "n10-ib"}));
  EXPECT_EQ(
      expand_hosts("r[1-2]n[01-02]", ""),
      (Hosts{"r1n01", "r1n02", "r2n01", "r2n02"}));
  EXPECT_EQ(expand_hosts("n[9-11]", ""), (Hosts{"n9", "n10", "n11"}));
  EXPECT_EQ(expand_hosts("n[3-3]", ""), Hosts{"n3"});
}

TEST(Hostlist, RefusesWhatIsNotAList) {
  EXPECT_NE(refusal_of("").find("an empty name"), std::string::npos);
  EXPECT_NE(refusal_of("a,,b").find("an empty name"), std::string::npos);
  EXPECT_NE(refusal_of("a,").find("an empty name"), std::string::npos);
  EXPECT_NE(refusal_of("a[1").find("'[' without"), std::string::npos);
  EXPECT_NE(refusal_of("a1]").find("']' without"), std::string::npos);
  EXPECT_NE(refusal_of("a[[1]]").find("inside another"), std::string::npos);
  EXPECT_NE(refusal_of("a[3-1]").find("backwards"), std::string::npos);
  for (const char* list : {"a[]", "a[x]", "a[1-]", "a[-1]", "a[1--2]"})
    EXPECT_NE(refusal_of(list).find("not two numbers"), std::string::npos)
        << list;
  EXPECT_TRUE(refusal_of("a[").starts_with("NODELIST: 'a['"));
}

TEST(Hostlist, IsBounded) {
  EXPECT_EQ(expand_hosts("n[1-65536]", "").size(), 65'536u);
  for (const char* list :
       {"n[0-65536]", "n[0-999999999]", "a[0-999]b[0-999]c[0-999]"})
    EXPECT_NE(refusal_of(list).find("more than 65536"), std::string::npos)
        << list;
  // More digits than a host number has.
  EXPECT_NE(refusal_of("n[0-99999999999999999999]"), "");
}

TEST(Hostlist, CountsPerHost) {
  EXPECT_EQ(expand_counts("2(x3),1", ""), (Counts{2, 2, 2, 1}));
  EXPECT_EQ(expand_counts("4", ""), Counts{4});
  for (const char* list : {"", "x", "2(x3", "2(3)", "2(x)", "1,,2", "-1"})
    EXPECT_THROW(expand_counts(list, ""), CallerError) << list;
  EXPECT_THROW(expand_counts("1(x70000)", ""), CallerError);
}

}  // namespace
}  // namespace moft
