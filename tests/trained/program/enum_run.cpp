// enum_run: one unit of tier 1 (docs/results/figures-protocol.md).
//
//   enum_run unit=full family=t5 objectives=2 seed=1 output=FILE.json
//
// Progress goes to standard error. Exit code 2: what was asked for is wrong;
// 1: the machine refused.
#include <cstdio>
#include <exception>

#include <fmt/format.h>

#include "moft/core/atomic_files.h"
#include "moft/core/errors.h"
#include "moft/core/json.h"

#include "tests/trained/enum_runs.h"

int main(int argc, char** argv) {
  using namespace moft;
  try {
    exact::EnumRunOptions options;
    for (int i = 1; i < argc; ++i)
      override_option(options, argv[i]);
    check_options(options, "enum_run");
    const auto result =
        exact::run_enum_unit(options, [](const std::string& line) {
          fmt::print(stderr, "enum_run: {}\n", line);
        });
    write_atomically(options.output, dump_json(result) + "\n");
    return 0;
  } catch (const CallerError& error) {
    fmt::print(stderr, "enum_run: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "enum_run: {}\n", error.what());
    return 1;
  }
}
