// A recipe: YAML into the training options, checked, printed and read back.
#include <stdexcept>
#include <string>

#include "moft/core/fields.h"
#include "moft/core/settings_emit.h"
#include "moft/core/settings_yaml.h"
#include "moft/training/training_options.h"

#include "fuzz_target.h"

namespace {

void parse(std::span<const std::uint8_t> bytes) {
  const std::string_view text = moft::fuzz::text_of(bytes);
  // The tree alone first: it reaches what the options refuse early.
  const auto tree = moft::parse_yaml(text, "fuzz.yaml");
  const std::string printed = moft::emit_yaml(tree);
  if (moft::emit_yaml(moft::parse_yaml(printed, "again.yaml")) != printed)
    throw std::logic_error("printed YAML does not read back as itself");
  moft::emit_json(tree);

  moft::TrainingOptions options;
  moft::read_options(options, text, "fuzz.yaml");
  moft::check_options(options, "fuzz.yaml");
  moft::TrainingOptions again;
  moft::read_options(again, moft::print_options(options), "again.yaml");
  if (!moft::differing_options(options, again).empty())
    throw std::logic_error("printed options do not read back as themselves");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  moft::fuzz::refusals_are_fine(parse, {data, size});
  return 0;
}
