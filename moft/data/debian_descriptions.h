// Descriptions of Debian packages as examples: the long description is the
// post, the synopsis its summary.
//
// Source: the package lists that apt keeps (deb822 paragraphs: `Package`,
// `Description` of a Packages file, `Description-en` of a Translation-en
// file; Debian Policy, chapter 5). The files are hostile until checked: what
// is no well-formed description is left out and counted.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moft {

struct PackageDescription {
  std::string package;
  std::string synopsis;  // one line
  // Paragraphs on a line each; lines that the description wants kept (lists)
  // on lines of their own.
  std::string text;
};

struct PackageDescriptions {
  std::vector<PackageDescription> found;  // both parts not empty
  std::int64_t without_text = 0;          // a synopsis only
  std::int64_t refused = 0;               // not UTF-8, too long, no name
};

// One list. A paragraph with several descriptions counts once, the first.
PackageDescriptions parse_package_list(std::string_view list);

// Keeps the first description of each text.
std::vector<PackageDescription> without_repeats(
    std::vector<PackageDescription> descriptions);

struct DescriptionSplit {
  std::vector<PackageDescription> train;
  std::vector<PackageDescription> validation;
};

// Draws about `share` of the descriptions for validation, from `seed` and the
// texts alone, not from their order. Descriptions with the same first
// paragraph (a library, its headers, its documentation) stay together.
// Each side keeps the order it was given in.
DescriptionSplit split_descriptions(
    std::vector<PackageDescription> descriptions,
    double share,
    std::uint64_t seed);

// JSON lines with `id` (the package), `post` and `summary`.
std::string descriptions_as_lines(
    const std::vector<PackageDescription>& descriptions);

}  // namespace moft
