// One walk through each scope: what it sets and reads, and the place of every
// name.
#include "moft/chat/scopes.h"

#include <functional>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "moft/chat/filters.h"

namespace moft::jinja {

namespace {

using Kind = Statement::Kind;

// The names of one scope while the places of a template's variables are
// fixed: what jinja2 calls its symbols.
class Symbols {
 public:
  // `scope` takes the variables; both outlive this.
  Symbols(const Symbols* outer, Scope& scope) : outer_(outer), scope_(scope) {}

  // The scope reads, sets or is handed a variable.
  void load(const std::string& name) {
    const auto entry = entries_.find(name);
    if (entry != entries_.end() && entry->second.known) return;
    if (outer_place(name).up >= 0) return;
    make_known(name, Slot::Load::kContext);
  }

  void store(const std::string& name) {
    Entry& entry = change(name);
    entry.stored = true;
    if (entry.known) return;
    entry.known = true;
    slot_of(name);
    start_as_outer_or(entry, name, Slot::Load::kMissing);
  }

  int declare(const std::string& name) {
    Entry& entry = make_known(name, Slot::Load::kParameter);
    entry.stored = true;
    return slot_of(name);
  }

  // Parts of the template of which one runs, or none.
  void branches(std::initializer_list<std::function<void()>> each);

  // REQUIRED: every load and store was noted; else the name is read here.
  SlotRef place_of(const std::string& name) {
    const auto entry = entries_.find(name);
    const bool known = entry != entries_.end() && entry->second.known;
    const SlotRef outer = known ? SlotRef() : outer_place(name);
    if (outer.up >= 0) return outer;
    if (!known) load(name);
    return {0, slots_.at(name)};
  }

  // Whether this scope or one around it sets the name.
  bool is_set(const std::string& name) const {
    const auto entry = entries_.find(name);
    if (entry != entries_.end() && entry->second.stored) return true;
    return outer_ != nullptr && outer_->is_set(name);
  }

  // How each variable starts, into the scope.
  void finish() {
    for (const auto& [name, entry] : entries_) {
      if (!entry.known) continue;
      Slot& slot = scope_.slots[static_cast<std::size_t>(slots_.at(name))];
      slot.load = entry.start;
      slot.outer = entry.outer;
    }
  }

 private:
  struct Entry {
    bool known = false;  // has a place in this scope
    bool stored = false;
    Slot::Load start = Slot::Load::kMissing;
    SlotRef outer = {};
  };

  // An entry about to be changed.
  Entry& change(const std::string& name) {
    Entry& entry = entries_[name];
    log_.emplace_back(name, entry);
    return entry;
  }

  Entry& make_known(const std::string& name, Slot::Load start) {
    Entry& entry = change(name);
    entry.known = true;
    entry.start = start;
    slot_of(name);
    return entry;
  }

  int slot_of(const std::string& name) {
    const auto [place, is_new] =
        slots_.try_emplace(name, static_cast<int>(scope_.slots.size()));
    if (is_new) scope_.slots.push_back({name, Slot::Load::kMissing, {}});
    return place->second;
  }

  // Where an outer scope has the name; up is -1 if none has.
  SlotRef outer_place(const std::string& name) const {
    int up = 1;
    for (const Symbols* each = outer_; each != nullptr; each = each->outer_) {
      const auto entry = each->entries_.find(name);
      if (entry != each->entries_.end() && entry->second.known)
        return {up, each->slots_.at(name)};
      ++up;
    }
    return {};
  }

  void start_as_outer_or(
      Entry& entry, const std::string& name, Slot::Load otherwise) {
    entry.outer = outer_place(name);
    entry.start = entry.outer.up >= 0 ? Slot::Load::kOuter : otherwise;
  }

  const Symbols* outer_;
  Scope& scope_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, int> slots_;
  std::vector<std::pair<std::string, Entry>> log_;  // what entries were
};

void Symbols::branches(std::initializer_list<std::function<void()>> each) {
  std::vector<std::pair<std::string, Entry>> changes;
  std::set<std::string> newly_stored;
  for (const auto& visit : each) {
    const std::size_t mark = log_.size();
    visit();
    std::set<std::string> touched;
    for (std::size_t i = mark; i < log_.size(); ++i)
      touched.insert(log_[i].first);
    for (const std::string& name : touched)
      changes.emplace_back(name, entries_[name]);
    while (log_.size() > mark) {
      entries_[log_.back().first] = log_.back().second;
      log_.pop_back();
    }
  }
  for (const auto& [name, after] : changes) {
    Entry& entry = change(name);
    if (after.stored && !entry.stored) newly_stored.insert(name);
    const bool stored = entry.stored;
    entry = after;
    entry.stored = stored;
  }
  for (const std::string& name : newly_stored) {
    Entry& entry = change(name);
    entry.stored = true;
    start_as_outer_or(entry, name, Slot::Load::kContext);
  }
}

// Calls visit(node) for an expression and all inside of it.
template <typename Visit>
void visit_all(Expression& expression, const Visit& visit) {
  visit(expression);
  for (auto& operand : expression.operands)
    if (operand != nullptr) visit_all(*operand, visit);
  for (auto& keyword : expression.keywords)
    visit_all(*keyword.value, visit);
}

void need_names(const Expression& node) {
  if (node.kind == Expression::Kind::kConditional) return;
  if (node.kind == Expression::Kind::kFilter) need_filter(node.name, node.line);
  if (node.kind == Expression::Kind::kTest) need_test(node.name, node.line);
  for (const ExpressionPtr& operand : node.operands)
    if (operand != nullptr) need_names(*operand);
  for (const Keyword& keyword : node.keywords)
    need_names(*keyword.value);
}

// The walk through one scope, in the order in which a template runs. The
// scopes inside follow when all that this one sets is known.
class ScopeWalk {
 public:
  // Statements around the scope.
  struct Around {
    bool is_loop = false;
    bool is_macro = false;
    bool is_if = false;
  };

  ScopeWalk(const Symbols* outer, Scope& scope, Around around)
      : symbols_(outer, scope), around_(around) {}

  void read(Expression& expression) {
    if (!around_.is_if) need_names(expression);
    visit_all(expression, [&](Expression& node) {
      if (node.kind != Expression::Kind::kName) return;
      symbols_.load(node.name);
      node.ref = symbols_.place_of(node.name);
      for (const char* given : {"caller", "varargs", "kwargs"}) {
        if (around_.is_macro && node.name == given && !symbols_.is_set(given))
          fault_at(node.line, "'{}' of a macro is not supported", given);
      }
    });
  }

  int declare(const std::string& name) { return symbols_.declare(name); }

  void declare(Target& target) {
    for (Target& part : target.parts)
      declare(part);
    if (target.name.empty()) return;
    need_settable(target);
    target.ref = {0, symbols_.declare(target.name)};
  }

  // REQUIRED at the end.
  void finish(Block& body) {
    walk(body);
    for (const auto& inner : inner_)
      inner();
    symbols_.finish();
  }

 private:
  void need_settable(const Target& target) const {
    if (around_.is_loop && target.name == "loop" && target.attribute.empty())
      fault_at(target.line, "'loop' cannot be set inside of a loop");
  }

  void write(Target& target) {
    need_settable(target);
    if (target.attribute.empty()) {
      symbols_.store(target.name);
    } else {
      symbols_.load(target.name);
    }
    target.ref = symbols_.place_of(target.name);
  }

  void walk(Block& block) {
    for (const auto& node : block)
      walk(*node);
  }

  void walk(Statement& node) {
    if (node.kind == Kind::kIf) return walk_if(node);
    node.scopes.resize(node.bodies.size());
    if (node.kind == Kind::kMacro) {
      write(node.target);
      inner_.emplace_back(
          [this, &node, around = around_] { walk_macro(node, around); });
      return;
    }
    for (const ExpressionPtr& expression : node.expressions)
      read(*expression);
    if (node.kind == Kind::kFor) {
      inner_.emplace_back(
          [this, &node, around = around_] { walk_for(node, around); });
      return;
    }
    if (!node.target.name.empty()) write(node.target);
    if (node.bodies.empty()) return;
    inner_.emplace_back([this, &node, around = around_] {
      ScopeWalk(&symbols_, node.scopes[0], around).finish(node.bodies[0]);
    });
  }

  // Its branches do not see what the others set.
  void walk_if(Statement& node) {
    const Around before = around_;
    around_.is_if = true;
    read(*node.expressions[0]);
    const std::size_t tests = node.expressions.size();
    symbols_.branches({
        [&] { walk(node.bodies[0]); },
        [&] {
          for (std::size_t i = 1; i < tests; ++i) {
            read(*node.expressions[i]);
            symbols_.branches({[&] { walk(node.bodies[i]); }});
          }
        },
        [&] {
          if (node.bodies.size() > tests) walk(node.bodies[tests]);
        },
    });
    around_ = before;
  }

  void walk_for(Statement& node, Around around) const {
    around.is_loop = true;
    ScopeWalk turn(&symbols_, node.scopes[0], around);
    node.loop_slot = turn.declare("loop");
    turn.declare(node.target);
    turn.finish(node.bodies[0]);
    if (node.bodies.size() > 1)
      ScopeWalk(&symbols_, node.scopes[1], around).finish(node.bodies[1]);
    if (node.test == nullptr) return;
    ScopeWalk test(&symbols_, node.test_scope, around);
    Block none;
    test.declare(node.test_target);
    test.read(*node.test);
    test.finish(none);
  }

  void walk_macro(Statement& node, Around around) const {
    around.is_macro = true;
    ScopeWalk call(&symbols_, node.scopes[0], around);
    for (const std::string& parameter : node.parameters)
      call.declare(parameter);
    for (const ExpressionPtr& each : node.expressions)
      call.read(*each);
    call.finish(node.bodies[0]);
  }

  Symbols symbols_;
  Around around_;
  std::vector<std::function<void()>> inner_;
};

}  // namespace

void fix_scopes(TemplateProgram& program) {
  ScopeWalk(nullptr, program.scope, {}).finish(program.body);
}

}  // namespace moft::jinja
