// The values of a running template: Python's, as far as templates meet them.
//
// Values are immutable and shared, but for namespaces and iterators. Texts
// carry marks per byte; numbers, truth values and containers know as a whole
// whether they come from the conversation, so that what is printed of them is
// marked too.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "moft/chat/budget.h"
#include "moft/chat/marked_text.h"

namespace moft::jinja {

class Value;
struct Sequence;
class Dict;
struct Namespace;
struct Iterator;
struct Loop;
struct Function;

struct Text {
  explicit Text(MarkedText value) : text(std::move(value)) {}
  Text(MarkedText value, Budget& budget)
      : text(std::move(value)), held(budget, text.size() + 96) {}

  MarkedText text;
  Holding held;
};

// A variable that has not been set yet; never the value of an expression.
struct Missing {};
// jinja2's Undefined; the message of the error that its use raises.
struct Undefined {
  std::shared_ptr<const std::string> message;
};
struct None {};

class Value {
 public:
  using Data = std::variant<
      Missing,
      Undefined,
      None,
      bool,
      std::int64_t,
      double,
      std::shared_ptr<const Text>,
      std::shared_ptr<const Sequence>,
      std::shared_ptr<const Dict>,
      std::shared_ptr<Namespace>,
      std::shared_ptr<Iterator>,
      std::shared_ptr<Loop>,
      std::shared_ptr<const Function>>;

  Value() = default;  // Missing
  Value(None none) : data_(none) {}
  Value(bool value) : data_(value) {}
  Value(std::int64_t value) : data_(value) {}
  Value(int value) : data_(std::int64_t{value}) {}
  Value(double value) : data_(value) {}
  template <typename T>
  Value(std::shared_ptr<T> value) : data_(std::move(value)) {}
  template <typename T>
  Value(T*) = delete;  // a pointer is not a truth value
  static Value undefined(std::string message);
  // A text of the template itself, outside any budget.
  static Value constant(std::string_view text);

  template <typename T>
  bool is() const {
    return std::holds_alternative<T>(data_);
  }
  template <typename T>
  const T* get() const {
    return std::get_if<T>(&data_);
  }

  bool is_missing() const { return is<Missing>(); }
  bool is_undefined() const { return is<Undefined>(); }
  bool is_none() const { return is<None>(); }
  // Null for values of other kinds.
  const MarkedText* text() const;
  const Sequence* sequence() const;
  const Dict* dict() const;
  Namespace* name_space() const;
  Iterator* iterator() const;
  Loop* loop() const;
  const Function* function() const;
  // A whole number; truth values are 0 and 1. Null for others.
  bool integer(std::int64_t& result) const;
  // Any number.
  bool number(double& result) const;

  bool from_conversation() const { return from_conversation_; }
  Value& set_from_conversation(bool value = true) {
    from_conversation_ = value;
    return *this;
  }
  // markupsafe's Markup (the filters safe and escape): a text that escapes
  // what is added to it.
  bool is_markup() const { return is_markup_; }
  Value& set_markup(bool value = true) {
    is_markup_ = value;
    return *this;
  }
  // The marks of what is printed of a number, truth value or container.
  Marks marks() const { return from_conversation_ ? kFromConversation : 0; }
  // Levels of values nested in this one.
  int depth() const;

 private:
  Data data_;
  bool from_conversation_ = false;
  bool is_markup_ = false;
};

enum class Flavour {
  kList,
  kTuple,
  kRange,
  kDictKeys,
  kDictValues,
  kDictItems
};

struct Sequence {
  Sequence(std::vector<Value> values, Flavour kind, Budget& budget);

  std::vector<Value> items;
  Flavour flavour;
  std::string range;  // what is printed of one: "range(0, 3)"
  int depth = 1;
  Holding held;
};

// Keys in the order of insertion.
class Dict {
 public:
  using Entry = std::pair<Value, Value>;

  explicit Dict(Budget& budget) : budget_(budget), held_(budget, 64) {}
  // Fault for a key that Python cannot hash. An existing key keeps its place.
  void put(Value key, Value value);
  // Null if there is none; Fault as put.
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;

  const std::vector<Entry>& entries() const { return entries_; }
  int depth() const { return depth_; }

 private:
  std::size_t place_of(const Value& key, std::size_t hash) const;
  void rebuild_slots();

  Budget& budget_;
  std::vector<Entry> entries_;
  std::vector<std::size_t> hashes_;
  std::vector<std::uint32_t> slots_;  // open addressing, once it is large
  Holding held_;
  int depth_ = 1;
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> attributes;

  const Value* find(std::string_view name) const;
  void put(const std::string& name, Value value);
};

// What can be run through once (Python's generators): gives the next item, or
// false at the end.
struct Iterator {
  std::function<bool(Value&)> next;
  int depth = 1;
};

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

class Run;

// A macro, a function of jinja2 or a method bound to its value.
struct Function {
  std::string name;
  std::function<Value(Run&, Arguments)> call;
  int depth = 1;
};

// New values, paid for.
Value text_value(MarkedText text, Budget& budget, bool is_markup = false);
Value list_value(
    std::vector<Value> items, Budget& budget, Flavour flavour = Flavour::kList);
// `depth`: levels of values that `next` holds.
Value iterator_value(
    std::function<bool(Value&)> next, int depth, Budget& budget);

// bool(value).
bool is_true(const Value& value);
// Python's name of the type: "str", "dict", "NoneType", ..
std::string type_name(const Value& value);
// Fault with the message of an undefined value; nothing for other values.
void need_defined(const Value& value);

}  // namespace moft::jinja
