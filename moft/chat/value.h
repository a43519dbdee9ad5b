// The values of a running template: Python's, as far as templates meet them.
//
// Values are immutable and shared, but for namespaces and generators. Texts
// carry marks per byte; numbers, truth values and containers know as a whole
// whether they come from the conversation, so that what is printed of them is
// marked too.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "moft/chat/budget.h"
#include "moft/chat/marked_text.h"

namespace moft::jinja {

class Dict;
class Run;
struct Function;
struct Loop;
struct Namespace;
struct Sequence;

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
  const Sequence* sequence() const { return held<const Sequence>(); }
  const Dict* dict() const { return held<const Dict>(); }
  Namespace* name_space() const { return held<Namespace>(); }
  Loop* loop() const { return held<Loop>(); }
  const Function* function() const { return held<const Function>(); }
  // A whole number; truth values are 0 and 1. False for others.
  bool integer(std::int64_t& result) const;
  // Any number.
  bool number(double& result) const;

  bool from_conversation() const { return from_conversation_; }
  Value& set_from_conversation(bool value = true) {
    from_conversation_ = value;
    return *this;
  }
  // A text of the filter safe, which jinja2 would join with escaped texts: it
  // can be printed, compared and measured; all else is refused (plain_text).
  bool is_safe() const { return is_safe_; }
  Value& set_safe() {
    is_safe_ = true;
    return *this;
  }
  // The marks of what is printed of a number, truth value or container.
  Marks marks() const { return from_conversation_ ? kFromConversation : 0; }
  // Levels of values nested in this one.
  int depth() const;

 private:
  template <typename T>
  T* held() const {
    const auto* pointer = get<std::shared_ptr<T>>();
    return pointer == nullptr ? nullptr : pointer->get();
  }

  Data data_;
  bool from_conversation_ = false;
  bool is_safe_ = false;
};

// kItems: what items() of an object gives. kGenerator: what can be run through
// once (Python's generators).
enum class Flavour { kList, kTuple, kRange, kItems, kGenerator };

struct Sequence {
  Sequence(std::vector<Value> values, Flavour kind, Budget& budget);

  std::vector<Value> items;
  Flavour flavour;
  int depth = 1;
  mutable bool is_used = false;  // of a generator
  Holding held;
};

// Keys, which are texts, in the order of insertion.
class Dict {
 public:
  using Entry = std::pair<Value, Value>;

  explicit Dict(Budget& budget) : budget_(budget), held_(budget, 64) {}
  // Fault for a key of another kind. An existing key keeps its place.
  void put(Value key, Value value);
  // Null if there is none.
  const Value* find(std::string_view key) const;
  // The same; Fault for a key that Python cannot hash.
  const Value* find(const Value& key) const;

  const std::vector<Entry>& entries() const { return entries_; }
  int depth() const { return depth_; }

 private:
  Budget& budget_;
  std::vector<Entry> entries_;
  std::map<std::string_view, std::size_t> places_;
  Holding held_;
  int depth_ = 1;
};

struct Namespace {
  std::map<std::string, Value, std::less<>> attributes;
};

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

// A macro, a function of jinja2 or a method bound to its value.
struct Function {
  std::function<Value(Run&, Arguments)> call;
  int depth = 1;
};

// New values, paid for.
Value text_value(MarkedText text, Budget& budget);
Value list_value(
    std::vector<Value> items, Budget& budget, Flavour flavour = Flavour::kList);

// bool(value).
bool is_true(const Value& value);
// Python's name of the type: "str", "dict", "NoneType", ..
std::string type_name(const Value& value);
// Fault with the message of an undefined value; nothing for other values.
void need_defined(const Value& value);
// Fault unless the value is a text, and not one of the filter safe. `user`
// names what needs it.
const MarkedText& plain_text(const Value& value, std::string_view user);

// Python's == and <; Fault for kinds without order.
bool equal(const Value& a, const Value& b, Budget& budget);
bool less(const Value& a, const Value& b, Budget& budget);
// `item in container`.
bool contains(const Value& container, const Value& item, Budget& budget);

}  // namespace moft::jinja
