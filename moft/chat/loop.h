// The variable `loop` of a for statement, and running through values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "moft/chat/value.h"

namespace moft::jinja {

// Runs through what Python can iterate: lists, the characters of a text, the
// keys of an object, iterators; nothing for undefined values.
class Cursor {
 public:
  // Fault for a value that cannot be run through.
  Cursor(Value values, Budget& budget);

  bool next(Value& item);

 private:
  Value values_;
  Budget* budget_;
  std::size_t at_ = 0;
};

// Every item of a value.
std::vector<Value> items_of(const Value& values, Budget& budget);
// The number of items, if it is known without running through them.
std::optional<std::size_t> size_of(const Value& values);

struct Loop {
 public:
  // `filter` says which items take part; empty: all.
  Loop(Value values, std::function<bool(const Value&)> filter, Budget& budget);

  // Takes the next item.
  bool advance(Value& item);

  // loop.index and the others; Missing for an unknown name.
  Value attribute(const std::string& name);
  std::int64_t index0() const { return index0_; }
  // Whether `values` differ from those of the call before.
  bool changed(std::vector<Value> values);
  void finish() { last_changed_.reset(); }
  int depth() const { return depth_; }

 private:
  bool pull(Value& item);
  bool peek();
  std::int64_t length();

  Value values_;
  Budget& budget_;
  Cursor cursor_;
  std::function<bool(const Value&)> filter_;
  std::vector<Value> ahead_;  // read already, in reverse
  Value before_;
  Value current_;
  std::int64_t index0_ = -1;
  std::optional<std::int64_t> length_;
  std::optional<std::vector<Value>> last_changed_;
  int depth_;
};

}  // namespace moft::jinja
