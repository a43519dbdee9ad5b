// Package lists, written for this test, as examples.
#include "moft/data/debian_descriptions.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

constexpr const char* kList =
    "Package: lantern\n"
    "Description-md5: 0123\n"
    "Description-en: draws lanterns on a terminal\n"
    " Lantern draws paper lanterns\n"
    " in sixteen colours.\n"
    " .\n"
    " It can:\n"
    "  * sway them in the wind\n"
    "  * put them out\n"
    " and it never sleeps.\n"
    "\n"
    "Package: lantern-doc\n"
    "DESCRIPTION: what there is to know of lantern\r\n"
    " Lantern draws paper lanterns\n"
    " in sixteen colours.\n"
    " .\n"
    " These are its pages.\n"
    "Section: doc\n"
    " not part of the description\n"
    "\n"
    "\n"
    "Package: bare\n"
    "Description: a synopsis and no more\n"
    "\n"
    "Description-en: nameless\n"
    " A text of no package.\n"
    "\n"
    "Package: twin\n"
    "Description-en: the first counts\n"
    " First.\n"
    "Description: the second does not\n"
    " Second.\n";

TEST(DebianDescriptions, AreReadFromAList) {
  const PackageDescriptions list = parse_package_list(kList);
  ASSERT_EQ(list.found.size(), 3U);
  EXPECT_EQ(list.found[0].package, "lantern");
  EXPECT_EQ(list.found[0].synopsis, "draws lanterns on a terminal");
  EXPECT_EQ(
      list.found[0].text,
      "Lantern draws paper lanterns in sixteen colours.\nIt can:\n"
      "* sway them in the wind\n* put them out\nand it never sleeps.");
  EXPECT_EQ(
      list.found[1].text,
      "Lantern draws paper lanterns in sixteen colours.\nThese are its pages.");
  EXPECT_EQ(list.found[1].synopsis, "what there is to know of lantern");
  EXPECT_EQ(list.found[2].text, "First.");
  EXPECT_EQ(list.without_text, 1);
  EXPECT_EQ(list.refused, 1);
}

TEST(DebianDescriptions, HostileListsAreRefusedEntryByEntry) {
  const std::string good = "\n\nPackage: good\nDescription: short\n long\n\n";
  const std::vector<std::string> bad = {
      "Package: x\nDescription: \xff\xfe\n text\n",
      "Package: x\nDescription: s\n \xc0\x80\n",
      "Package: \nDescription: s\n text\n",
      "Package: x\nDescription:\n text\n",
      "Package: x\nDescription: s\n" + std::string(70000, ' ') + "a\n" + " " +
          std::string(70000, 'a') + "\n b\n",
      "Package: " + std::string(5000, 'x') + "\nDescription: s\n text\n",
  };
  for (const std::string& entry : bad) {
    const PackageDescriptions list = parse_package_list(entry + good);
    EXPECT_EQ(list.refused, 1) << entry.substr(0, 40);
    ASSERT_EQ(list.found.size(), 1U) << entry.substr(0, 40);
    EXPECT_EQ(list.found[0].package, "good");
  }
  // No paragraphs at all.
  EXPECT_TRUE(parse_package_list("").found.empty());
  EXPECT_TRUE(parse_package_list(std::string(1000, '\0')).found.empty());
  EXPECT_TRUE(parse_package_list("Description: x\n").found.empty());
  EXPECT_TRUE(parse_package_list(" a\n b\n: \n").found.empty());
}

TEST(DebianDescriptions, RepeatsGoAndTheFirstStays) {
  const auto kept = without_repeats(
      {{"a", "one", "same"}, {"b", "two", "same"}, {"c", "three", "other"}});
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].package, "a");
  EXPECT_EQ(kept[1].package, "c");
}

std::vector<PackageDescription> many() {
  std::vector<PackageDescription> all;
  for (int i = 0; i < 200; ++i) {
    const std::string first = "About " + std::to_string(i / 2) + ".";
    all.push_back(
        {"p" + std::to_string(i), "s", first + "\nPart " + std::to_string(i)});
  }
  return all;
}

std::vector<std::string> names(const std::vector<PackageDescription>& list) {
  std::vector<std::string> result;
  for (const auto& entry : list)
    result.push_back(entry.package);
  std::sort(result.begin(), result.end());
  return result;
}

TEST(DebianDescriptions, TheSplitKeepsRelativesTogetherAndIgnoresOrder) {
  const DescriptionSplit split = split_descriptions(many(), 0.1, 3);
  EXPECT_EQ(split.validation.size(), 20U);
  EXPECT_EQ(split.train.size(), 180U);
  for (std::size_t i = 0; i < split.validation.size(); i += 2) {
    EXPECT_EQ(
        split.validation[i].text.substr(0, 9),
        split.validation[i + 1].text.substr(0, 9));
  }
  auto reversed = many();
  std::reverse(reversed.begin(), reversed.end());
  EXPECT_EQ(
      names(split_descriptions(reversed, 0.1, 3).validation),
      names(split.validation));
  EXPECT_NE(
      names(split_descriptions(many(), 0.1, 4).validation),
      names(split.validation));
  EXPECT_TRUE(split_descriptions(many(), 0.0, 3).validation.empty());
  EXPECT_THROW(split_descriptions(many(), 1.0, 3), CallerError);
}

TEST(DebianDescriptions, BecomeJsonLines) {
  EXPECT_EQ(
      descriptions_as_lines({{"a", "say \"hi\"", "one\ntwo"}}),
      "{\"id\":\"a\",\"post\":\"one\\ntwo\",\"summary\":\"say \\\"hi\\\"\"}\n");
}

}  // namespace
}  // namespace moft
