// Runs a fuzz target without libFuzzer:
//
//   fuzz_x SECONDS CORPUS..    every file of the corpus (files or folders) as
//                              it is, then mutations of them until the time
//                              is up; input n depends on the corpus and n only
//   fuzz_x replay FILE..       these files once, as they are
//
// Exit 0: nothing found. A finding ends the process (exit 1 or the sanitizer's
// code) after its input was saved as `finding-<program>-<n>`.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include <sanitizer/common_interface_defs.h>

#include "moft/core/random.h"

#include "fuzz_target.h"

namespace {

namespace fs = std::filesystem;
using moft::RandomStream;
using Input = std::vector<std::uint8_t>;

constexpr std::size_t kLargest = 1 << 16;
constexpr double kSlowSeconds = 10;

// What runs now, for whoever has to save it.
std::string program;
const Input* current = nullptr;
unsigned long long number = 0;

void save_current() {
  if (current == nullptr) return;
  const std::string name = "finding-" + program + "-" + std::to_string(number);
  std::FILE* file = std::fopen(name.c_str(), "wb");
  if (file != nullptr) {
    std::fwrite(current->data(), 1, current->size(), file);
    std::fclose(file);
  }
  std::fprintf(
      stderr,
      "%s: input %llu saved as %s\n",
      program.c_str(),
      number,
      name.c_str());
  current = nullptr;
}

[[noreturn]] void report(const std::string& finding) {
  std::fprintf(stderr, "%s: %s\n", program.c_str(), finding.c_str());
  save_current();
  std::_Exit(1);
}

void run(const Input& input) {
  using Clock = std::chrono::steady_clock;
  current = &input;
  const auto begin = Clock::now();
  try {
    LLVMFuzzerTestOneInput(input.data(), input.size());
  } catch (const std::exception& error) {
    report(std::string("an exception escaped: ") + error.what());
  }
  const std::chrono::duration<double> spent = Clock::now() - begin;
  if (spent.count() > kSlowSeconds)
    report("an input took " + std::to_string(spent.count()) + " s");
  current = nullptr;
}

Input read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::exit(2);
  }
  return Input(std::istreambuf_iterator<char>(file), {});
}

std::vector<Input> read_corpus(const std::vector<std::string>& places) {
  std::vector<fs::path> paths;
  for (const fs::path place : places) {
    if (!fs::is_directory(place)) {
      paths.push_back(place);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(place))
      if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Input> corpus;
  for (const auto& path : paths)
    if (fs::file_size(path) <= kLargest) corpus.push_back(read(path));
  return corpus;
}

// One change of an input. Lengths stay below kLargest.
class Mutator {
 public:
  Mutator(const std::vector<Input>& corpus, RandomStream& random)
      : corpus_(corpus), random_(random) {}

  Input make() {
    Input input = pick(corpus_);
    const std::uint64_t changes = 1 + random_.below(8);
    for (std::uint64_t i = 0; i < changes; ++i)
      change(input);
    if (input.size() > kLargest) input.resize(kLargest);
    return input;
  }

 private:
  template <typename T>
  const T& pick(const std::vector<T>& from) {
    return from[random_.below(from.size())];
  }
  std::size_t place(const Input& input) {
    return random_.below(input.size() + 1);
  }

  void change(Input& input) {
    switch (random_.below(9)) {
      case 0:
        return flip_bit(input);
      case 1:
        return set_byte(input);
      case 2:
        return truncate(input);
      case 3:
        return overwrite_length<std::uint64_t>(input);
      case 4:
        return overwrite_length<std::uint32_t>(input);
      case 5:
        return splice(input);
      case 6:
        return repeat_or_drop(input);
      case 7:
        return insert_token(input);
      default:
        return overwrite_digits(input);
    }
  }

  void flip_bit(Input& input) {
    if (!input.empty())
      input[random_.below(input.size())] ^= 1u << random_.below(8);
  }
  void set_byte(Input& input) {
    if (!input.empty())
      input[random_.below(input.size())] =
          static_cast<std::uint8_t>(random_.below(256));
  }
  void truncate(Input& input) {
    if (random_.below(4) == 0) input.resize(place(input));
  }

  // The numbers that lying headers are made of.
  std::uint64_t length(const Input& input) {
    const std::uint64_t edge = std::uint64_t{1} << random_.below(64);
    const std::uint64_t choices[] = {
        0,
        edge,
        edge - 1,
        ~edge,
        ~std::uint64_t{0},
        input.size(),
        input.size() - 8,
        input.size() + 1,
        random_.below(300)};
    return choices[random_.below(std::size(choices))];
  }
  template <typename T>
  void overwrite_length(Input& input) {
    if (input.size() < sizeof(T)) return;
    const T value = static_cast<T>(length(input));
    std::size_t at = random_.below(input.size() - sizeof(T) + 1);
    if (random_.below(2) == 0) at -= at % sizeof(T);
    std::memcpy(input.data() + at, &value, sizeof(T));
  }
  void overwrite_digits(Input& input) {
    const auto digit = [](std::uint8_t c) { return c >= '0' && c <= '9'; };
    const auto from = input.begin() + static_cast<std::ptrdiff_t>(place(input));
    const auto first = std::find_if(from, input.end(), digit);
    const auto last = std::find_if_not(first, input.end(), digit);
    if (first == last) return;
    const std::string text = std::to_string(length(input));
    const auto at = input.erase(first, last);
    input.insert(at, text.begin(), text.end());
  }

  // A piece of another input, over or between our own bytes.
  void splice(Input& input) {
    const Input& other = pick(corpus_);
    const std::size_t begin = place(other);
    const std::size_t count =
        std::min<std::size_t>(other.size() - begin, random_.below(256));
    const std::size_t at = place(input);
    const std::size_t gone =
        random_.below(2) == 0 ? 0
                              : std::min<std::size_t>(count, input.size() - at);
    const auto spot = input.begin() + static_cast<std::ptrdiff_t>(at);
    input.erase(spot, spot + static_cast<std::ptrdiff_t>(gone));
    input.insert(
        input.begin() + static_cast<std::ptrdiff_t>(at),
        other.begin() + static_cast<std::ptrdiff_t>(begin),
        other.begin() + static_cast<std::ptrdiff_t>(begin + count));
  }
  void repeat_or_drop(Input& input) {
    const std::size_t begin = place(input);
    const std::size_t count =
        std::min<std::size_t>(input.size() - begin, random_.below(128));
    const auto first = input.begin() + static_cast<std::ptrdiff_t>(begin);
    if (random_.below(2) == 0) {
      input.erase(first, first + static_cast<std::ptrdiff_t>(count));
      return;
    }
    const Input piece(first, first + static_cast<std::ptrdiff_t>(count));
    input.insert(first, piece.begin(), piece.end());
  }
  void insert_token(Input& input) {
    static const std::vector<std::string> tokens = {
        "{",        "}",     "[",
        "]",        "\"",    ":",
        ",",        "null",  "true",
        "-1",       "1e308", "\\u0000",
        "\\ud800",  "\xff",  "\xf0\x9f\x98\x80",
        "\n",       "  ",    "- ",
        "&a ",      "*a",    "<<: ",
        "!!int ",   "---\n", "\"\"",
        "[[[[[[[[", "0.5",   "99999999999999999999",
        "%",        "|\n",   "'",
        "#",        "..",    "/",
        "(a+)+$"};
    const std::string& token = pick(tokens);
    input.insert(
        input.begin() + static_cast<std::ptrdiff_t>(place(input)),
        token.begin(),
        token.end());
  }

  const std::vector<Input>& corpus_;
  RandomStream& random_;
};

int replay(const std::vector<std::string>& files) {
  for (const auto& file : files) {
    const Input input = read(file);
    run(input);
    std::printf("%s: %s passes\n", program.c_str(), file.c_str());
  }
  return 0;
}

int mutate(double seconds, const std::vector<Input>& corpus) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  const auto spent = [&] {
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  for (const Input& input : corpus)
    run(input);
  for (; spent() < seconds; ++number) {
    RandomStream random(
        1, moft::Purpose::kTest, static_cast<std::uint32_t>(number));
    const Input input = Mutator(corpus, random).make();
    run(input);
  }
  std::printf(
      "%s: %zu seeds, %llu mutations, %.0f s, nothing found\n",
      program.c_str(),
      corpus.size(),
      number,
      spent());
  return 0;
}

}  // namespace

int main(int count, char** values) {
  const std::vector<std::string> arguments(values + 1, values + count);
  program = fs::path(values[0]).filename().string();
  __sanitizer_set_death_callback(save_current);
  if (arguments.size() < 2) {
    std::fprintf(
        stderr, "usage: %s SECONDS CORPUS.. | replay FILE..\n", values[0]);
    return 2;
  }
  const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  if (arguments[0] == "replay") return replay(rest);
  const double seconds = std::atof(arguments[0].c_str());
  const auto corpus = read_corpus(rest);
  if (!(seconds > 0) || corpus.empty()) {
    std::fprintf(stderr, "%s: no time or no corpus\n", values[0]);
    return 2;
  }
  return mutate(seconds, corpus);
}
