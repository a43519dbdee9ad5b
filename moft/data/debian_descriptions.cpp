#include "moft/data/debian_descriptions.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>

#include <nlohmann/json.hpp>

#include "moft/core/errors.h"
#include "moft/core/json.h"
#include "moft/core/text.h"
#include "moft/data/shuffler.h"

namespace moft {
namespace {

// Longer than any real description by far.
constexpr std::size_t kMaxTextBytes = 65536;
constexpr std::size_t kMaxLineBytes = 1024;  // names and synopses

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32)
                                        : letter;
}

bool same_word(std::string_view a, std::string_view lower_case) {
  return a.size() == lower_case.size() &&
         std::equal(a.begin(), a.end(), lower_case.begin(), [](char x, char y) {
           return lower(x) == y;
         });
}

// A paragraph of the list while it is read.
class Stanza {
 public:
  void read(std::string_view line) {
    if (line.front() == ' ' || line.front() == '\t') {
      if (in_description_) add_text(line.substr(1));
      return;
    }
    in_description_ = false;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const std::string_view key = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (same_word(key, "package")) {
      if (!package_) package_ = value;
    } else if (
        (same_word(key, "description") || same_word(key, "description-en")) &&
        !synopsis_) {
      synopsis_ = value;
      in_description_ = true;
    }
  }

  void finish(PackageDescriptions& result) {
    if (synopsis_) judge(result);
    *this = Stanza();
  }

 private:
  // `line` without the blank that marks a continuation.
  void add_text(std::string_view line) {
    if (too_long_) return;
    if (trimmed(line) == ".") {
      paragraph_ended_ = true;
      return;
    }
    const bool kept = line.starts_with(' ') || line.starts_with('\t');
    const bool new_line = paragraph_ended_ || kept || after_kept_;
    if (!text_.empty()) text_ += new_line ? '\n' : ' ';
    text_ += trimmed(line);
    paragraph_ended_ = false;
    after_kept_ = kept;
    too_long_ = text_.size() > kMaxTextBytes;
  }

  void judge(PackageDescriptions& result) {
    const bool good =
        package_ && !package_->empty() && !too_long_ && !synopsis_->empty() &&
        package_->size() <= kMaxLineBytes &&
        synopsis_->size() <= kMaxLineBytes && is_utf8(*package_) &&
        is_utf8(*synopsis_) && is_utf8(text_);
    if (!good) {
      ++result.refused;
    } else if (trimmed(text_).empty()) {
      ++result.without_text;
    } else {
      result.found.push_back(
          {std::string(*package_), std::string(*synopsis_), std::move(text_)});
    }
  }

  std::optional<std::string_view> package_;
  std::optional<std::string_view> synopsis_;
  std::string text_;
  bool in_description_ = false;
  bool paragraph_ended_ = false;
  bool after_kept_ = false;  // the line before is one to keep
  bool too_long_ = false;
};

std::string_view first_paragraph(const PackageDescription& description) {
  const std::string_view text = description.text;
  return text.substr(0, text.find('\n'));
}

}  // namespace

PackageDescriptions parse_package_list(std::string_view list) {
  PackageDescriptions result;
  Stanza stanza;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find('\n'), list.size());
    std::string_view line = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (trimmed(line).empty()) {
      stanza.finish(result);
    } else {
      stanza.read(line);
    }
  }
  stanza.finish(result);
  return result;
}

std::vector<PackageDescription> without_repeats(
    std::vector<PackageDescription> descriptions) {
  std::set<std::string> seen;
  std::vector<PackageDescription> kept;
  for (PackageDescription& description : descriptions) {
    if (seen.insert(description.text).second)
      kept.push_back(std::move(description));
  }
  return kept;
}

DescriptionSplit split_descriptions(
    std::vector<PackageDescription> descriptions,
    double share,
    std::uint64_t seed) {
  if (!(share >= 0.0 && share < 1.0)) {
    throw_caller_error(
        "the share of validation is {}; give at least 0 and less than 1",
        share);
  }
  std::map<std::string, std::size_t> group_sizes;  // sorted
  for (const PackageDescription& description : descriptions)
    ++group_sizes[std::string(first_paragraph(description))];
  std::vector<const std::string*> groups;
  for (const auto& [text, size] : group_sizes)
    groups.push_back(&text);
  std::set<std::string_view> chosen;
  const double wanted = share * static_cast<double>(descriptions.size());
  double taken = 0.0;
  if (!groups.empty()) {
    Shuffler order(seed, groups.size());
    for (std::size_t i = 0; i < groups.size() && taken < wanted; ++i) {
      const std::string& text = *groups[order.next()];
      chosen.insert(text);
      taken += static_cast<double>(group_sizes.at(text));
    }
  }
  DescriptionSplit split;
  for (PackageDescription& description : descriptions) {
    const bool held_out = chosen.contains(first_paragraph(description));
    (held_out ? split.validation : split.train)
        .push_back(std::move(description));
  }
  return split;
}

std::string descriptions_as_lines(
    const std::vector<PackageDescription>& descriptions) {
  std::string lines;
  for (const PackageDescription& description : descriptions) {
    nlohmann::ordered_json line;
    line["id"] = description.package;
    line["post"] = description.text;
    line["summary"] = description.synopsis;
    lines += dump_json(line) + "\n";
  }
  return lines;
}

}  // namespace moft
