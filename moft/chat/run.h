// One run of a template: its limits, its variables, and the line at hand.
//
// Thread safety: one thread at a time.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "moft/chat/budget.h"
#include "moft/chat/template_nodes.h"
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

  Value text(MarkedText text, bool is_markup = false) {
    return text_value(std::move(text), budget_, is_markup);
  }
  Value list(std::vector<Value> items, Flavour flavour = Flavour::kList) {
    return list_value(std::move(items), budget_, flavour);
  }
  Value function(
      std::string name,
      std::function<Value(Run&, Arguments)> call,
      int depth = 0);
  Value call(const Value& callee, Arguments arguments);

 private:
  Budget budget_;  // first: values give back to it
  const std::chrono::system_clock::time_point now_;
  int line_ = 1;
  std::map<std::string, Value> variables_;
  std::vector<std::shared_ptr<Namespace>> namespaces_;
  std::vector<FramePtr> captured_;
};

}  // namespace moft::jinja
