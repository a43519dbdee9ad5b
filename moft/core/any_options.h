// A section whose struct is chosen at run time: the settings of a kind that a
// table names, such as a kind of reward.
//
// AnyOptions::absent<T>() behaves in core/fields.h like std::optional<T>: it is
// read, checked, printed, listed and compared by T's fields() and check(), and
// left out where it is not given.
//
// Include moft/core/fields.h where one is made.
//
// Thread safety: a value, like the struct in it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "moft/core/field_attributes.h"

namespace moft {

struct FieldDescription;
using VisitPath =
    std::function<void(const std::string& key, std::string& path)>;

namespace fields_detail {

struct Place;
template <class T>
void read_struct(T&, const Node&, const Place&, const std::string& path);
template <class T>
Node write_value(const T& value);
template <class T>
void check_value(const T&, const std::string& path, const Declaration&);
template <class T>
void list_fields(const std::string& path, std::vector<FieldDescription>& out);
template <class T, class F>
void visit_paths(T& options, const std::string& path, const F& visit);

}  // namespace fields_detail

class AnyOptions {
 public:
  // Options of type T, not given. REQUIRES T has fields().
  template <class T>
  static AnyOptions absent() {
    return AnyOptions(std::make_shared<Holder<T>>(T{}));
  }

  AnyOptions(const AnyOptions& other) { *this = other; }
  AnyOptions& operator=(const AnyOptions& other) {
    defaults_ = other.defaults_;
    given_ = other.given_ ? other.given_->clone() : nullptr;
    return *this;
  }

  explicit operator bool() const { return given_ != nullptr; }
  void reset() { given_.reset(); }
  // REQUIRES it is given, and T is its type (std::bad_cast).
  template <class T>
  const T& get() const {
    return dynamic_cast<const Holder<T>&>(*given_).value;
  }
  template <class T>
  T& get() {
    return dynamic_cast<Holder<T>&>(*given_).value;
  }
  // REQUIRES T is its type.
  template <class T>
  void set(T value) {
    if (!given_) given_ = defaults_->clone();
    get<T>() = std::move(value);
  }

  // For core/fields.h.
  void read(
      const SettingsNode& node,
      const fields_detail::Place& place,
      const std::string& path) {
    if (node.kind == SettingsNode::Kind::kNull) return reset();
    if (!given_) given_ = defaults_->clone();
    given_->read(node, place, path);
  }
  SettingsNode write() const {
    return given_ ? given_->write() : SettingsNode{};
  }
  void check(const std::string& path) const {
    if (given_) given_->check(path);
  }
  void list(const std::string& path, std::vector<FieldDescription>& out) const {
    defaults_->list(path, out);
  }
  void visit(const std::string& path, const VisitPath& visit) {
    if (given_) given_->visit(path, visit);
  }

 private:
  struct Content {
    virtual ~Content() = default;
    virtual std::unique_ptr<Content> clone() const = 0;
    virtual void read(
        const SettingsNode&,
        const fields_detail::Place&,
        const std::string& path) = 0;
    virtual SettingsNode write() const = 0;
    virtual void check(const std::string& path) const = 0;
    virtual void list(
        const std::string& path, std::vector<FieldDescription>&) const = 0;
    virtual void visit(const std::string& path, const VisitPath&) = 0;
  };

  template <class T>
  struct Holder : Content {
    explicit Holder(T held) : value(std::move(held)) {}
    std::unique_ptr<Content> clone() const override {
      return std::make_unique<Holder>(value);
    }
    void read(
        const SettingsNode& node,
        const fields_detail::Place& place,
        const std::string& path) override {
      fields_detail::read_struct(value, node, place, path);
    }
    SettingsNode write() const override {
      return fields_detail::write_value(value);
    }
    void check(const std::string& path) const override {
      fields_detail::check_value(value, path, fields_detail::Declaration{});
    }
    void list(const std::string& path, std::vector<FieldDescription>& out)
        const override {
      fields_detail::list_fields<T>(path, out);
    }
    void visit(const std::string& path, const VisitPath& visit) override {
      fields_detail::visit_paths(value, path, visit);
    }

    T value;
  };

  explicit AnyOptions(std::shared_ptr<const Content> defaults)
      : defaults_(std::move(defaults)) {}

  std::shared_ptr<const Content> defaults_;
  std::unique_ptr<Content> given_;
};

}  // namespace moft
