// Settings that are declared once.
//
// An options struct lists each of its fields in one member function; reading,
// checking, printing, comparing, help and documentation all follow from it:
//
//   enum class Baseline { kBatchMean, kLeaveOneOut };
//   constexpr auto enum_names(Baseline) {
//     return EnumNames<Baseline, 2>{{
//         {Baseline::kBatchMean, "batch_mean"},
//         {Baseline::kLeaveOneOut, "leave_one_out"}}};
//   }
//
//   struct ExampleOptions {
//     std::int64_t steps = 40;
//     std::vector<double> betas = {0.9, 0.95};
//     Baseline baseline = Baseline::kLeaveOneOut;
//     AdapterOptions adapter;  // itself a struct with fields()
//
//     template <class V>
//     void fields(V& v) {
//       v("steps", steps, Help{"updates of the policy", "steps"}, at_least(1));
//       v("betas", betas, Help{"decay rates of Adam's moments"},
//         between(0, 1), Count{2});
//       v("baseline", baseline, Help{"what is subtracted from the reward"});
//       v("adapter", adapter, Help{"the low-rank adapters"});
//     }
//     // Optional: what concerns several fields at once. `path` is the dotted
//     // path of this struct with a dot at its end, or empty at the top.
//     // Throws CallerError("{path}steps is ..; give ..").
//     void check(const std::string& path) const;
//   };
//
// Types: bool, std::int64_t, double, std::string, enums with enum_names,
// std::optional<T> (null means absent; a struct is absent by default),
// std::vector<T>, std::map<std::string, T>, structs with fields(), AnyOptions
// (core/any_options.h) where the struct is chosen at run time, and any nesting
// of these. Ranges apply to every number inside a field. A number is
// always finite.
//
// A struct that is read keeps the value of each field that is not named. A
// vector or map that is named is replaced as a whole, except through an
// override whose path leads into it ("rewards.brevity.range=[0,1]",
// "layers.0.name=x").
//
// Unquoted YAML values are read as YAML 1.2 means them: True and FALSE are
// booleans, 1e3 and 10.0 are whole numbers, and 1_000 is 1000.
//
// T::key_hints(), where there is one, says what keys of other programs are
// called here.
//
// Errors are CallerErrors of one sentence:
//   recipe.yaml:7: key 'training.stpes' is not known; did you mean
//       'training.steps'?
//   recipe.yaml:7: training.steps is -3; give a whole number of at least 1
//
// Goals: one declaration; exact round trips; messages a newcomer understands.
// Non-goals: a schema language, settings looked up by string at run time,
// other formats than YAML and JSON.
//
// Thread safety: the functions are pure; a struct is the caller's.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "moft/core/any_options.h"
#include "moft/core/errors.h"
#include "moft/core/field_attributes.h"
#include "moft/core/field_checking.h"
#include "moft/core/field_listing.h"
#include "moft/core/field_paths.h"
#include "moft/core/field_reading.h"
#include "moft/core/field_writing.h"
#include "moft/core/settings_emit.h"
#include "moft/core/settings_tree.h"
#include "moft/core/settings_yaml.h"

namespace moft {

namespace fields_detail {

template <class T>
void read_tree(T& options, const Node& tree, const std::string& file);

}  // namespace fields_detail

// Every field of T with its default, in the order of declaration.
template <class T>
std::vector<FieldDescription> list_options() {
  std::vector<FieldDescription> fields;
  fields_detail::list_fields<T>("", fields);
  return fields;
}

// Reads YAML text over `options`. On an error `options` is unchanged.
template <class T>
void read_options(T& options, std::string_view text, const std::string& file) {
  fields_detail::read_tree(options, parse_yaml(text, file), file);
}

// Applies "dotted.path=value". On an error `options` is unchanged.
template <class T>
void override_option(T& options, const std::string& assignment) {
  fields_detail::read_tree(
      options, parse_assignment(assignment), assignment_place(assignment));
}

// The same from JSON. `place` opens the messages: a file, "request body".
template <class T>
void options_from_json(
    T& options, const nlohmann::json& json, const std::string& place) {
  fields_detail::read_tree(options, tree_from_json(json, place), place);
}

// Every field as YAML; an absent value is null, an absent struct is left out.
// Reading it back into a default T gives equal options, to the last bit.
template <class T>
std::string print_options(const T& options) {
  return emit_yaml(fields_detail::write_value(options));
}

template <class T>
nlohmann::ordered_json options_to_json(const T& options) {
  return emit_json(fields_detail::write_value(options));
}

// Required fields, ranges and each struct's own check(): call it once all
// sources are read. Options made in code are checked by the same rules.
// `place` opens the messages.
template <class T>
void check_options(const T& options, const std::string& place) {
  try {
    fields_detail::check_value(options, "", fields_detail::Declaration{});
  } catch (const CallerError& error) {
    throw CallerError(place + ": " + error.what());
  }
}

// Dotted paths of the values that differ, in order of declaration.
template <class T>
std::vector<std::string> differing_options(const T& a, const T& b) {
  return fields_detail::differing_paths(
      fields_detail::write_value(a), fields_detail::write_value(b));
}

namespace fields_detail {

template <class T>
void read_tree(T& options, const Node& tree, const std::string& file) {
  std::function<std::vector<std::string>()> all_paths = [] {
    std::vector<std::string> paths;
    for (const FieldDescription& field : list_options<T>()) {
      paths.push_back(field.path);
    }
    return paths;
  };
  Place place{&file, &all_paths, {}};
  if constexpr (HasKeyHints<T>) place.hints = T::key_hints();
  T copy = options;
  read_value(copy, tree, place, "", Declaration{});
  options = std::move(copy);
}

}  // namespace fields_detail

}  // namespace moft
