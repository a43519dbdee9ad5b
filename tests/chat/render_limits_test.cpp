// Templates that would crash, hang or fill the memory end with an error.
#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "moft/chat/chat_template.h"

#include "support.h"

namespace moft {
namespace {

Outcome run(const std::string& source) {
  Conversation conversation;
  conversation.messages = {{{"role", "user"}, {"content", "x"}}};
  RenderOptions options;
  options.limits.steps = 200'000;
  options.limits.memory = std::size_t{8} << 20;
  return render_template(source, conversation, options);
}

void expect_refused(const std::string& source, const std::string& reason) {
  const auto start = std::chrono::steady_clock::now();
  const Outcome outcome = run(source);
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_FALSE(outcome.rendered) << source.substr(0, 100);
  EXPECT_NE(outcome.error.find(reason), std::string::npos)
      << source.substr(0, 100) << "\n"
      << outcome.error.substr(0, 300);
  EXPECT_LT(took, std::chrono::seconds(30)) << source.substr(0, 100);
}

std::string repeated(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i)
    result += text;
  return result;
}

constexpr const char* kMemory = "need over 8388608 bytes";
constexpr const char* kSteps = "takes over 200000 steps";
constexpr const char* kNested = "nested over";

TEST(ChatLimits, MemoryOfOneOperation) {
  expect_refused("{{ 'a' * 1000000000 }}", kMemory);
  expect_refused("{{ 'a' * 1000000000000000000 }}", kMemory);
  expect_refused("{{ [1]|tojson(indent=1000000000000) }}", kMemory);
  expect_refused("{% set b = 'a' * 1000000 %}{{ b.replace('', b) }}", kMemory);
  expect_refused("{% set b = 'a' * 1000000 %}{{ b|replace('', b) }}", kMemory);
  expect_refused("{% set b = 'a' * 1000000 %}{{ b.split('a') }}", kMemory);
  expect_refused("{% set b = 'a' * 1000000 %}{{ b[::-1] }}", kMemory);
  EXPECT_TRUE(run("{% set b = 'a' * 1000000 %}{% set c = b.replace('a', b, 1) "
                  "%}{% set c = b.split('a', 1) %}")
                  .rendered);
}

TEST(ChatLimits, MemoryOfManyOperations) {
  expect_refused(
      "{% set n = namespace(s='ab') %}{% for i in range(100) %}{% set n.s = "
      "n.s ~ n.s %}{% endfor %}{{ n.s|length }}",
      kMemory);
  expect_refused(
      "{% set n = namespace(s='ab') %}{% for i in range(100) %}{% set n.s = "
      "n.s.replace('a', n.s) %}{% endfor %}",
      kSteps);
  expect_refused(
      "{% set n = namespace(l=[1]) %}{% for i in range(100) %}{% set n.l = "
      "n.l + n.l %}{% endfor %}",
      kMemory);
  expect_refused(
      "{% set n = namespace(l=[1]) %}{% for i in range(100) %}{% set n.l = "
      "[n.l, n.l] %}{% endfor %}{{ n.l }}",
      kSteps);
  expect_refused(
      "{% set b = 'a' * 1000000 %}{% for i in range(1000) %}{{ b }}{% endfor "
      "%}",
      kMemory);
  expect_refused("{% set b = 'a' * 3000000 %}{{ b|list|length }}", kMemory);
  expect_refused(
      "{% set b = 'a ' * 3000000 %}{{ b.split(' ')|length }}", kMemory);
}

TEST(ChatLimits, Steps) {
  const std::string loop = "{% for i in range(100000) %}";
  expect_refused(repeated(loop, 3) + "x" + repeated("{% endfor %}", 3), kSteps);
  expect_refused(
      "{% set b = 'a' * 1000000 %}" + loop +
          "{% if 'b' in b %}{% endif %}{% "
          "endfor %}",
      kSteps);
  expect_refused(
      "{% set b = 'a' * 1000000 %}" + loop +
          "{% set x = b|upper %}{% endfor "
          "%}",
      kSteps);
  expect_refused(
      "{% set l = range(10000)|list %}{% for x in l %}{% if 'y' in l %}{% "
      "endif %}{% endfor %}",
      kSteps);
  expect_refused("{{ range(1000000000000) }}", "over 100000 numbers");
}

TEST(ChatLimits, Recursion) {
  expect_refused(
      "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}", kNested);
  expect_refused(
      "{% macro f(g) %}{{ g(g) }}{% endmacro %}{% macro g(f) %}{{ f(f) }}{% "
      "endmacro %}{{ f(g) }}",
      kNested);
  expect_refused(
      "{% set n = namespace(l=[]) %}{% for i in range(100000) %}{% set n.l = "
      "[n.l] %}{% endfor %}",
      kNested);
  expect_refused(
      "{% set n = namespace(l={}) %}{% for i in range(100000) %}{% set n.l = "
      "{'a': n.l}.get %}{% endfor %}",
      kNested);
  expect_refused(
      "{% set n = namespace(l=[1]) %}{% for i in range(100000) %}{% set n.l = "
      "n.l|map('string') %}{% endfor %}{{ n.l|list }}",
      kSteps);
  expect_refused(
      "{% set n = namespace() %}{% set n.a = n %}{{ n }}", "Namespace");
  expect_refused(
      "{% set n = namespace() %}{% set n.a = [n] %}{{ n.a == [n.a] }}{{ "
      "n.a|tojson }}",
      "Namespace");
}

// Circles of namespaces and macros are freed; sanitizers see a leak.
TEST(ChatLimits, CirclesAreFreed) {
  const Outcome outcome = run(
      "{% set n = namespace() %}{% macro f() %}x{% endmacro %}{% set n.me = n "
      "%}{% set n.f = f %}{% set n.list = [n, f] %}{% for i in [1, 2] if i in "
      "[n.x, 1, 2] %}{% macro g() %}{{ i }}{% endmacro %}{% set n.g = g %}{% "
      "set n.loop = loop %}{% endfor %}{{ "
      "n.g() }}{{ n.f() }}{{ n.loop.last }}");
  ASSERT_TRUE(outcome.rendered) << outcome.error;
  EXPECT_EQ(outcome.chat.text(), "2xTrue");
}

TEST(ChatLimits, TheParser) {
  for (const char* open :
       {"(", "[", "{'a': ", "not ", "- ", "1 if x else ", "f(", "x["}) {
    expect_refused("{{ " + repeated(open, 10'000), kNested);
  }
  expect_refused("{{ 1" + repeated(" + 1", 20'000) + " }}", kNested);
  expect_refused("{{ x" + repeated("|trim", 20'000) + " }}", kNested);
  expect_refused("{{ x" + repeated(".a", 20'000) + " }}", kNested);
  expect_refused("{{ x" + repeated(" is string", 1000) + " }}", "tests");
  expect_refused(repeated("{% if x %}", 10'000), kNested);
  expect_refused(repeated("{% for x in y %}", 10'000), kNested);
  expect_refused("{% for " + repeated("(", 20'000), "brackets");
}

// Time grows with the size of a template, not with its square.
TEST(ChatLimits, LongTemplatesAreRead) {
  std::string source;
  for (int i = 0; i < 5'000; ++i) {
    const std::string name = "v" + std::to_string(i);
    source += "{% if " + name + " %}{% set " + name + " = 1 %}{% endif %}";
  }
  source += "{{ x" + repeated(" ~ x", 100'000) + " }}";
  const auto start = std::chrono::steady_clock::now();
  const Outcome outcome = run(source);
  ASSERT_TRUE(outcome.rendered) << outcome.error;
  EXPECT_TRUE(outcome.chat.pieces.empty());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST(ChatLimits, WholeNumbers) {
  for (const char* sum :
       {"9223372036854775808",
        "-9223372036854775807 - 2",
        "9223372036854775807 + 1",
        "9223372036854775807 * 2",
        "0 - (-9223372036854775807 - 1)",
        "-(-9223372036854775807 - 1)"}) {
    expect_refused("{{ " + std::string(sum) + " }}", "64 bits");
  }
  const Outcome outcome =
      run("{{ -9223372036854775807 - 1 }} {{ 9223372036854775807 }} {{ "
          "(-9223372036854775807 - 1) % -1 }}");
  EXPECT_EQ(outcome.chat.text(), "-9223372036854775808 9223372036854775807 0");
}

TEST(ChatLimits, SmallerOnesHold) {
  Conversation conversation;
  conversation.messages = {{{"role", "user"}, {"content", "x"}}};
  RenderOptions options;
  options.limits.steps = 100;
  EXPECT_FALSE(
      render_template(
          "{% for i in range(99) %}x{% endfor %}", conversation, options)
          .rendered);
  options.limits = {};
  options.limits.memory = 10'000;
  EXPECT_FALSE(
      render_template("{{ 'a' * 20000 }}", conversation, options).rendered);
  options.limits = {};
  options.limits.depth = 5;
  EXPECT_FALSE(
      render_template("{{ [[[[[1]]]]] }}", conversation, options).rendered);
}

}  // namespace
}  // namespace moft
