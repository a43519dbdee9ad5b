// The source of a chat template to a program.
//
// What a template may hold: text; {{ expressions }}; {# comments #}; for (with
// if and else), if, set (of names, namespace attributes and blocks), macro,
// break, continue and generation. All other tags of jinja2 are refused by
// name, and so are filters, tests and functions that the tables of this folder
// do not list; those inside an `if` only when they are reached, as jinja2
// does.
//
// Thread safety: pure functions.
#pragma once

#include <memory>
#include <string_view>

#include "moft/chat/template_nodes.h"

namespace moft::jinja {

// Throws Fault with a line.
std::shared_ptr<const TemplateProgram> parse_template(std::string_view source);

}  // namespace moft::jinja
