// `moft import debian`: a machine's own package lists become examples.
#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "moft/core/errors.h"
#include "moft/core/files.h"
#include "moft/core/log.h"
#include "moft/data/debian_descriptions.h"

#include "cli/command.h"
#include "cli/result.h"
#include "cli/signals.h"

namespace moft {

namespace {

namespace fs = std::filesystem;

constexpr const char* kTrainFile = "train.jsonl";
constexpr const char* kValidationFile = "validation.jsonl";
constexpr const char* kLists = "/var/lib/apt/lists";

bool is_list(const std::string& name) {
  return name.ends_with("_Packages") || name.ends_with("_Translation-en");
}

bool is_compressed_list(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  return dot != std::string::npos && is_list(name.substr(0, dot));
}

// The lists of a folder by name; `path` itself when it is no folder.
std::vector<fs::path> find_lists(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    throw_caller_error(
        "--lists {}: does not exist; give a package list or a folder of them",
        path.string());
  }
  if (!fs::is_directory(path, error)) return {path};
  std::vector<fs::path> lists;
  std::vector<fs::path> compressed;
  for (const auto& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    if (is_list(name)) lists.push_back(entry.path());
    if (is_compressed_list(name)) compressed.push_back(entry.path());
  }
  std::sort(lists.begin(), lists.end());
  std::sort(compressed.begin(), compressed.end());
  if (lists.empty() && !compressed.empty()) {
    throw_caller_error(
        "--lists {}: the lists are compressed; unpack each into another "
        "folder, '/usr/lib/apt/apt-helper cat-file {} > FOLDER/{}', and give "
        "that folder",
        path.string(),
        compressed.front().string(),
        compressed.front().stem().string());
  }
  if (lists.empty()) {
    throw_caller_error(
        "--lists {}: holds no package lists (files that end in _Packages or "
        "_Translation-en); fetch them with 'apt-get update'",
        path.string());
  }
  return lists;
}

class ImportCommand : public Command {
 public:
  void declare(Parser& parser) override {
    parser.require_command();
    Parser& debian = parser.add_command(
        "debian",
        "Package descriptions and their synopses, from apt's package lists");
    debian
        .add_option(
            "OUTPUT",
            output_,
            "The folder to write train.jsonl and validation.jsonl to")
        .required();
    debian.add_option(
        "--lists",
        lists_,
        "Package lists (Packages, Translation-en), or folders of them");
    debian.add_option(
        "--validation",
        validation_,
        "The share of the examples that goes to validation.jsonl");
    debian.add_option("--seed", seed_, "Of the choice which ones");
    debian.add_flag(
        "--overwrite",
        overwrite_,
        "Replace a train.jsonl and validation.jsonl that are there");
  }

  int run() override {
    outlive_closed_pipes();
    PackageDescriptions all;
    for (const std::string& path : lists_) {
      for (const fs::path& list : find_lists(path))
        add_list(list, all);
    }
    if (all.found.empty()) {
      throw_caller_error(
          "no package has a long description ({} have a synopsis alone); "
          "Debian keeps them in the Translation-en lists: fetch those with "
          "'apt-get -o Acquire::Languages=en update'",
          all.without_text);
    }
    const std::size_t with_repeats = all.found.size();
    auto kept = without_repeats(std::move(all.found));
    log_info(
        "{} descriptions, {} of them repeats; {} without a text, {} refused",
        with_repeats,
        with_repeats - kept.size(),
        all.without_text,
        all.refused);
    const DescriptionSplit split =
        split_descriptions(std::move(kept), validation_, seed_);
    refuse_others_files();
    ensure_writable_directory(output_);
    write(split.train, kTrainFile);
    write(split.validation, kValidationFile);
    return 0;
  }

 private:
  void refuse_others_files() const {
    for (const char* name : {kTrainFile, kValidationFile}) {
      const fs::path file = fs::path(output_) / name;
      if (overwrite_ || !fs::exists(file)) continue;
      throw_caller_error(
          "{}: exists already; give another folder, or --overwrite to replace "
          "it",
          file.string());
    }
  }

  static void add_list(const fs::path& list, PackageDescriptions& all) {
    PackageDescriptions more = parse_package_list(read_text(list));
    std::move(
        more.found.begin(), more.found.end(), std::back_inserter(all.found));
    all.without_text += more.without_text;
    all.refused += more.refused;
  }

  void write(
      const std::vector<PackageDescription>& descriptions,
      const char* name) const {
    const fs::path file = fs::path(output_) / name;
    write_atomically(file, descriptions_as_lines(descriptions));
    print_result("{}  {} examples\n", file.string(), descriptions.size());
  }

  std::string output_;
  std::vector<std::string> lists_ = {kLists};
  double validation_ = 0.05;
  std::uint64_t seed_ = 1;
  bool overwrite_ = false;
};

}  // namespace

std::unique_ptr<Command> make_import_command() {
  return std::make_unique<ImportCommand>();
}

}  // namespace moft
