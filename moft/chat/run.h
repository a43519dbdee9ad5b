// One run of a template: its limits, its variables, the line at hand, and its
// loops.
//
// Thread safety: one thread at a time.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "moft/chat/value.h"

namespace moft::jinja {

// The variables of an open scope.
struct Frame {
  std::vector<Value> slots;
  std::shared_ptr<Frame> outer;
};
using FramePtr = std::shared_ptr<Frame>;

class Run {
 public:
  Run(const RenderLimits& limits, std::chrono::system_clock::time_point now)
      : budget_(limits), now_(now) {}
  // Namespaces and macros can hold each other in a circle: it is cut here.
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  Budget& budget() { return budget_; }
  std::chrono::system_clock::time_point now() const { return now_; }

  int line() const { return line_; }
  void at(int line) { line_ = line; }

  // The template's variables: messages, tools, bos_token, ..
  void set_variable(const std::string& name, Value value);
  // Missing if there is none.
  Value variable(const std::string& name) const;

  Value make_namespace(Namespace space);
  // Keeps a frame that a macro refers to.
  void capture(const FramePtr& frame) { captured_.push_back(frame); }

  Value text(MarkedText text) { return text_value(std::move(text), budget_); }
  Value list(std::vector<Value> items, Flavour flavour = Flavour::kList) {
    return list_value(std::move(items), budget_, flavour);
  }
  // `depth`: levels of the values that the function holds.
  Value function(std::function<Value(Run&, Arguments)> call, int depth = 0);
  Value call(const Value& callee, Arguments arguments);

 private:
  Budget budget_;  // first: values give back to it
  const std::chrono::system_clock::time_point now_;
  int line_ = 1;
  std::map<std::string, Value> variables_;
  std::vector<std::shared_ptr<Namespace>> namespaces_;
  std::vector<FramePtr> captured_;
};

// The name of a function, filter or method and its parameters, of which the
// first `required` have to be given.
struct Signature {
  std::string_view name;
  std::size_t required = 0;
  std::array<const char*, 3> parameters = {};
};

// The arguments of a call, matched with the parameters of what is called.
class Bound {
 public:
  // Python's rules for positions and names. Fault for an argument that is too
  // many, unknown or missing.
  Bound(Arguments arguments, const Signature& signature);

  // Missing if it was not given.
  const Value& operator[](std::size_t i) const { return values_[i]; }
  bool has(std::size_t i) const { return !values_[i].is_missing(); }
  // Given and not none.
  bool is_set(std::size_t i) const { return has(i) && !values_[i].is_none(); }

  // Each is a Fault for values of other kinds.
  std::int64_t whole(std::size_t i, std::int64_t otherwise) const;
  bool truth(std::size_t i, bool otherwise) const;
  const MarkedText& text(std::size_t i) const;

 private:
  std::string_view function_;
  std::vector<Value> values_;
};

// Whether `names`, which has a blank around each, holds `name`.
bool is_listed(std::string_view names, std::string_view name);

// Every item of what Python can iterate: lists, the characters of a text, the
// keys of an object; none of an undefined value. Fault for others and for a
// generator that was run through.
std::vector<Value> items_of(const Value& values, Budget& budget);
// The number of items; nothing for what has no length.
std::optional<std::size_t> size_of(const Value& values);

// The variable `loop` of a for statement.
struct Loop {
 public:
  // `filter` says which items take part; empty: all.
  Loop(
      const Value& values,
      std::function<bool(const Value&)> filter,
      Budget& budget);

  // Takes the next item.
  bool advance(Value& item);
  // loop.index and the others; Fault for those of jinja2 that are not
  // supported, Missing for an unknown name.
  Value attribute(const std::string& name);
  int depth() const { return depth_; }

 private:
  // Whether there is another item; it then is items_[next_].
  bool peek();
  std::int64_t length();

  std::vector<Value> items_;
  std::function<bool(const Value&)> filter_;
  std::size_t next_ = 0;
  bool next_takes_part_ = false;
  Value before_;
  Value current_;
  std::int64_t index0_ = -1;
  int depth_;
  Holding held_;
};

}  // namespace moft::jinja
