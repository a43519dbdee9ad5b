// The state of a run.
#include "moft/chat/run.h"

#include "moft/chat/fault.h"

namespace moft::jinja {

Run::~Run() {
  for (const auto& space : namespaces_)
    space->attributes.clear();
  for (const FramePtr& frame : captured_)
    frame->slots.clear();
}

void Run::set_variable(const std::string& name, Value value) {
  variables_.insert_or_assign(name, std::move(value));
}

Value Run::variable(const std::string& name) const {
  const auto found = variables_.find(name);
  return found == variables_.end() ? Value() : found->second;
}

Value Run::make_namespace(Namespace space) {
  budget_.steps(4);
  auto shared = std::make_shared<Namespace>(std::move(space));
  namespaces_.push_back(shared);
  return shared;
}

Value Run::function(
    std::string name, std::function<Value(Run&, Arguments)> call, int depth) {
  budget_.nests(depth + 1);
  return std::make_shared<const Function>(
      Function{std::move(name), std::move(call), depth + 1});
}

Value Run::call(const Value& callee, Arguments arguments) {
  need_defined(callee);
  const Function* function = callee.function();
  if (callee.loop() != nullptr) fault("recursive loops are not supported");
  if (function == nullptr) fault("a '{}' cannot be called", type_name(callee));
  const Level level(budget_);
  return function->call(*this, std::move(arguments));
}

}  // namespace moft::jinja
