// Options with a field of every kind, and what reading them complains about.
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "moft/core/errors.h"
#include "moft/core/fields.h"

namespace moft {

enum class Colour { kRed, kGreen };
constexpr auto enum_names(Colour) {
  return EnumNames<Colour, 2>{{
      {Colour::kRed, "red"},
      {Colour::kGreen, "green"},
  }};
}

struct Part {
  double size = 0.5;
  std::optional<std::int64_t> count;

  template <class V>
  void fields(V& v) {
    v("size", size, Help{"its size", "metres"}, between(0, 1));
    v("count", count, Help{"how many"}, at_least(1));
  }
};

struct Training {
  std::int64_t steps = 40;
  std::vector<double> betas = {0.9, 0.95};

  template <class V>
  void fields(V& v) {
    v("steps", steps, Help{"updates", "steps"}, at_least(1));
    v("betas", betas, Help{"decay rates"}, from_up_to_below(0, 1), Count{2});
  }
  void check(const std::string& path) const {
    if (steps != 13) return;
    throw_caller_error("{}steps is 13; give another number", path);
  }
};

struct Everything {
  bool flag = false;
  double rate = 1e-5;
  std::string text;
  Colour colour = Colour::kRed;
  std::vector<Colour> colours;
  std::optional<double> limit = 2.0;
  std::map<std::string, double> weights;
  std::map<std::string, Part> parts;
  std::vector<Part> list;
  std::optional<Part> extra;
  Training training;

  template <class V>
  void fields(V& v) {
    v("flag", flag, Help{"a switch"});
    v("rate", rate, Help{"a rate"}, above(0));
    v("text", text, Help{"some text"}, Required{});
    v("colour", colour, Help{"a colour"});
    v("colours", colours, Help{"several"});
    v("limit", limit, Help{"a limit"});
    v("weights", weights, Help{"weights"}, at_least(0));
    v("parts", parts, Help{"named parts"});
    v("list", list, Help{"numbered parts"});
    v("extra", extra, Help{"one more part"});
    v("training", training, Help{"the loop"});
  }
};

inline Everything example() {
  Everything e;
  e.flag = true;
  e.rate = 1.0 / 3;
  e.text = "<|im_start|>user\n{post}: \"a\" # b\ttab \\ \x01 caf\xC3\xA9";
  e.colour = Colour::kGreen;
  e.colours = {Colour::kGreen, Colour::kRed};
  e.limit = std::nullopt;
  e.weights = {{"a", 0.3}, {"b: c", 0.7}, {"null", 0.0}};
  e.parts["one"].size = 5e-324;
  e.parts["two"].count = 7;
  e.list.resize(2);
  e.list[1].count = std::numeric_limits<std::int64_t>::max();
  e.extra = Part{};
  e.training.steps = 3;
  return e;
}

// The message of the CallerError that `work` throws.
template <class Work>
std::string complaint(Work work) {
  try {
    work();
  } catch (const CallerError& error) {
    return error.what();
  }
  return "(no complaint)";
}

inline std::string complaint_of(const std::string& yaml) {
  return complaint([&] {
    Everything e;
    read_options(e, yaml, "r.yaml");
  });
}

inline std::string complaint_of_override(const std::string& assignment) {
  return complaint([&] {
    Everything e = example();
    override_option(e, assignment);
  });
}

}  // namespace moft
