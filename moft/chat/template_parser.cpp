// Statements of a template.
#include "moft/chat/template_parser.h"

#include <algorithm>
#include <initializer_list>

#include "moft/chat/expression_parser.h"
#include "moft/chat/scopes.h"

namespace moft::jinja {

namespace {

using TokenKind = Token::Kind;
using Kind = Statement::Kind;
using StatementPtr = std::unique_ptr<Statement>;

constexpr int kMaxBlocks = 100;

// Tags of jinja2 that public chat templates do not use.
constexpr std::initializer_list<const char*> kRefusedTags = {
    "autoescape",
    "block",
    "call",
    "do",
    "extends",
    "filter",
    "from",
    "import",
    "include",
    "print",
    "with"};

class Parser {
 public:
  explicit Parser(std::string_view source)
      : tokens_(lex_template(source)), expressions_(tokens_) {}

  std::shared_ptr<const TemplateProgram> run() {
    auto program = std::make_shared<TemplateProgram>();
    program->body = parse_block({});
    program->marks_generation = marks_generation_;
    fix_scopes(*program);
    return program;
  }

 private:
  using Ends = std::initializer_list<const char*>;

  bool is_one_of(Ends names) const {
    return std::any_of(names.begin(), names.end(), [&](const char* name) {
      return tokens_.current().is_name(name);
    });
  }

  // Statements up to one of the tags `ends`, whose name is then current; up to
  // the end of the template if there are none.
  Block parse_block(Ends ends) {
    const int line = tokens_.line();
    if (++nested_ > kMaxBlocks)
      fault_at(line, "blocks are nested over {} levels", kMaxBlocks);
    Block block;
    for (;;) {
      const Token& token = tokens_.next();
      if (token.kind == TokenKind::kEnd) {
        if (ends.size() > 0)
          fault_at(line, "this block has no '{}'", *std::prev(ends.end()));
        break;
      }
      if (token.kind == TokenKind::kData) {
        block.push_back(start(Kind::kText, token.line));
        block.back()->text = Value::constant(token.text);
      } else if (token.kind == TokenKind::kPrintBegin) {
        block.push_back(start(Kind::kPrint, token.line));
        block.back()->expressions.push_back(expressions_.parse_tuple());
        tokens_.expect(TokenKind::kPrintEnd, "'}}'");
      } else {
        if (is_one_of(ends)) break;
        block.push_back(parse_statement());
        tokens_.expect(TokenKind::kBlockEnd, "'%}'");
      }
    }
    --nested_;
    return block;
  }

  static StatementPtr start(Kind kind, int line) {
    auto statement = std::make_unique<Statement>();
    statement->kind = kind;
    statement->line = line;
    return statement;
  }

  // The rest of the tag, then the body up to one of `ends`.
  Block parse_body(Ends ends) {
    tokens_.skip_operator(":");
    tokens_.expect(TokenKind::kBlockEnd, "'%}'");
    return parse_block(ends);
  }
  Block parse_whole_body(const char* end) {
    Block body = parse_body({end});
    tokens_.next();
    return body;
  }
  // Macros and generation blocks are functions: a break inside cannot end a
  // loop around them.
  Block parse_function_body(const char* end) {
    const int loops = std::exchange(loops_, 0);
    Block body = parse_whole_body(end);
    loops_ = loops;
    return body;
  }

  StatementPtr parse_statement() {
    const Token& tag = tokens_.expect(TokenKind::kName, "the name of a tag");
    const std::string& name = tag.text;
    if (name == "for") return parse_for(tag.line);
    if (name == "if") return parse_if(tag.line);
    if (name == "set") return parse_set(tag.line);
    if (name == "macro") return parse_macro(tag.line);
    if (name == "generation") return parse_generation(tag.line);
    if (name == "break" || name == "continue") {
      if (loops_ == 0) fault_at(tag.line, "'{}' is outside of a loop", name);
      return start(name == "break" ? Kind::kBreak : Kind::kContinue, tag.line);
    }
    for (const char* refused : kRefusedTags)
      if (name == refused)
        fault_at(tag.line, "the tag '{}' is not supported", name);
    fault_at(tag.line, "the tag '{}' is not known here", name);
  }

  StatementPtr parse_for(int line) {
    StatementPtr node = start(Kind::kFor, line);
    node->target = parse_names();
    node->test_target = node->target;
    if (!tokens_.skip_name("in")) tokens_.unexpected("in");
    node->expressions.push_back(expressions_.parse_tuple(false, "recursive"));
    if (tokens_.skip_name("if")) node->test = expressions_.parse();
    if (tokens_.current().is_name("recursive"))
      fault_at(line, "recursive loops are not supported");
    ++loops_;
    node->bodies.push_back(parse_body({"else", "endfor"}));
    --loops_;
    if (tokens_.next().text == "else")
      node->bodies.push_back(parse_whole_body("endfor"));
    return node;
  }

  StatementPtr parse_if(int line) {
    StatementPtr node = start(Kind::kIf, line);
    for (;;) {
      node->expressions.push_back(expressions_.parse_tuple(false));
      node->bodies.push_back(parse_body({"elif", "else", "endif"}));
      const std::string end = tokens_.next().text;
      if (end == "elif") continue;
      if (end == "else") node->bodies.push_back(parse_whole_body("endif"));
      return node;
    }
  }

  StatementPtr parse_set(int line) {
    StatementPtr node = start(Kind::kSet, line);
    node->target = parse_name(true);
    if (tokens_.current().is_operator(","))
      fault_at(line, "a 'set' of several names is not supported");
    if (tokens_.skip_operator("=")) {
      node->expressions.push_back(expressions_.parse_tuple());
      return node;
    }
    if (tokens_.current().is_operator("|"))
      fault_at(line, "a filter of a 'set' block is not supported");
    node->kind = Kind::kSetBlock;
    node->bodies.push_back(parse_whole_body("endset"));
    return node;
  }

  StatementPtr parse_macro(int line) {
    StatementPtr node = start(Kind::kMacro, line);
    node->target.name = tokens_.expect(TokenKind::kName, "a name").text;
    node->target.line = line;
    tokens_.expect_operator("(");
    while (!tokens_.current().is_operator(")")) {
      const Token& name = tokens_.expect(TokenKind::kName, "a parameter");
      for (const std::string& other : node->parameters)
        if (other == name.text)
          fault_at(name.line, "the parameter '{}' is given twice", other);
      node->parameters.push_back(name.text);
      if (tokens_.skip_operator("=")) {
        node->expressions.push_back(expressions_.parse());
      } else if (!node->expressions.empty()) {
        fault_at(name.line, "'{}' needs a default, too", name.text);
      }
      if (!tokens_.skip_operator(",")) break;
    }
    tokens_.expect_operator(")");
    node->bodies.push_back(parse_function_body("endmacro"));
    return node;
  }

  StatementPtr parse_generation(int line) {
    StatementPtr node = start(Kind::kGeneration, line);
    node->bodies.push_back(parse_function_body("endgeneration"));
    marks_generation_ = true;
    return node;
  }

  // A name or an attribute.
  Target parse_name(bool with_attributes) {
    if (tokens_.current().is_operator("("))
      fault_at(tokens_.line(), "brackets around names are not supported");
    Target target;
    const Token& token = tokens_.expect(TokenKind::kName, "a name to set");
    target.name = token.text;
    target.line = token.line;
    for (const char* word : {"true", "false", "none", "True", "False", "None"})
      if (token.text == word) fault_at(token.line, "'{}' cannot be set", word);
    if (with_attributes && tokens_.skip_operator("."))
      target.attribute = tokens_.expect(TokenKind::kName, "an attribute").text;
    return target;
  }

  // One, or several with commas.
  Target parse_names() {
    Target first = parse_name(false);
    if (!tokens_.current().is_operator(",")) return first;
    Target target;
    target.line = first.line;
    target.parts.push_back(std::move(first));
    while (tokens_.skip_operator(",") && !tokens_.current().is_name("in"))
      target.parts.push_back(parse_name(false));
    return target;
  }

  TokenStream tokens_;
  ExpressionParser expressions_;
  int loops_ = 0;
  int nested_ = 0;
  bool marks_generation_ = false;
};

}  // namespace

std::shared_ptr<const TemplateProgram> parse_template(std::string_view source) {
  return Parser(source).run();
}

}  // namespace moft::jinja
