// Expressions to values.
#pragma once

#include <optional>

#include "moft/chat/run.h"
#include "moft/chat/template_nodes.h"

namespace moft::jinja {

class Evaluator {
 public:
  explicit Evaluator(Run& run) : run_(run) {}

  // Fault as Python and jinja2 have errors.
  Value evaluate(const Expression& expression, const FramePtr& frame);
  bool is_true(const Expression& expression, const FramePtr& frame);
  // A call with one more named argument (the block of {% call %}).
  Value call_with(
      const Expression& call,
      const FramePtr& frame,
      const std::string& name,
      Value value);
  // A chain of filters on the text of a block.
  Value filter_block(
      const Expression& filter, const FramePtr& frame, const Value& text);

 private:
  Value name(const Expression& node, const FramePtr& frame);
  Value list(const Expression& node, const FramePtr& frame);
  Value dict(const Expression& node, const FramePtr& frame);
  Value slice(const Expression& node, const FramePtr& frame);
  Value call(const Expression& node, const FramePtr& frame);
  Value filter(const Expression& node, const FramePtr& frame);
  Value test(const Expression& node, const FramePtr& frame);
  Value concatenate(const Expression& node, const FramePtr& frame);
  Value compare(const Expression& node, const FramePtr& frame);
  Value conditional(const Expression& node, const FramePtr& frame);
  bool holds(const std::string& op, const Value& a, const Value& b);
  Arguments arguments_of(
      const Expression& node, const FramePtr& frame, bool with_first);

  Run& run_;
  Value block_text_;  // what the innermost filter of a block reads
};

// The variable that a name refers to in `frame`.
Value& variable_at(const FramePtr& frame, const SlotRef& ref);

}  // namespace moft::jinja
