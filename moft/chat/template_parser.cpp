// Statements of a template.
#include "moft/chat/template_parser.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "moft/chat/check_names.h"
#include "moft/chat/expression_parser.h"
#include "moft/chat/fault.h"
#include "moft/chat/scopes.h"
#include "moft/chat/token_stream.h"

namespace moft::jinja {

namespace {

using TokenKind = Token::Kind;
using Kind = Statement::Kind;
using StatementPtr = std::unique_ptr<Statement>;

constexpr int kMaxBlocks = 100;

// Tags of jinja2 that chat templates have no use for.
constexpr std::array<const char*, 7> kRefusedTags = {
    "block", "extends", "include", "import", "from", "autoescape", "do"};

class Parser {
 public:
  explicit Parser(std::string_view source)
      : tokens_(lex_template(source)), expressions_(tokens_) {}

  std::shared_ptr<const TemplateProgram> run() {
    auto program = std::make_shared<TemplateProgram>();
    program->body = parse_block({});
    program->marks_generation = marks_generation_;
    check_names(program->body);
    fix_scopes(*program);
    return program;
  }

 private:
  using Ends = std::initializer_list<const char*>;

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
        if (ends.size() > 0) {
          fault_at(line, "this block has no '{}'", *std::prev(ends.end()));
        }
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

  bool is_one_of(Ends names) const {
    return std::any_of(names.begin(), names.end(), [&](const char* name) {
      return tokens_.current().is_name(name);
    });
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

  StatementPtr parse_statement() {
    const Token& tag = tokens_.expect(TokenKind::kName, "the name of a tag");
    const std::string& name = tag.text;
    const int line = tag.line;
    if (name == "for") return parse_for(line);
    if (name == "if") return parse_if(line);
    if (name == "set") return parse_set(line);
    if (name == "macro") return parse_macro(line);
    if (name == "call") return parse_call_block(line);
    if (name == "generation") return parse_generation(line);
    if (name == "filter") return parse_filter_block(line);
    if (name == "with") return parse_with(line);
    if (name == "print") return parse_print(line);
    if (name == "break" || name == "continue") {
      if (loops_ == 0) fault_at(line, "'{}' is outside of a loop", name);
      return start(name == "break" ? Kind::kBreak : Kind::kContinue, line);
    }
    for (const char* refused : kRefusedTags)
      if (name == refused)
        fault_at(line, "the tag '{}' is not supported", name);
    fault_at(line, "the tag '{}' is not known here", name);
  }

  StatementPtr parse_for(int line) {
    StatementPtr node = start(Kind::kFor, line);
    node->target = parse_target(false, "in");
    node->test_target = node->target;
    tokens_.expect_name("in");
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
    node->target = parse_target(true);
    if (tokens_.skip_operator("=")) {
      node->expressions.push_back(expressions_.parse_tuple());
      return node;
    }
    node->kind = Kind::kSetBlock;
    if (tokens_.current().is_operator("|"))
      node->filter = expressions_.parse_block_filter(false);
    node->bodies.push_back(parse_whole_body("endset"));
    return node;
  }

  // Macros, call and generation blocks are functions: a break inside cannot
  // end a loop around them.
  Block parse_function_body(const char* end) {
    const int loops = std::exchange(loops_, 0);
    Block body = parse_whole_body(end);
    loops_ = loops;
    return body;
  }

  void parse_signature(MacroDefinition& macro) {
    tokens_.expect_operator("(");
    while (!tokens_.current().is_operator(")")) {
      if (!macro.parameters.empty()) tokens_.expect_operator(",");
      const Token& name = tokens_.expect(TokenKind::kName, "a parameter");
      macro.parameters.push_back(name.text);
      if (tokens_.skip_operator("=")) {
        macro.defaults.push_back(expressions_.parse());
      } else if (!macro.defaults.empty()) {
        fault_at(name.line, "'{}' needs a default, too", name.text);
      }
    }
    tokens_.expect_operator(")");
  }

  StatementPtr parse_macro(int line) {
    StatementPtr node = start(Kind::kMacro, line);
    node->macro = std::make_unique<MacroDefinition>();
    node->macro->line = line;
    node->target.name = tokens_.expect(TokenKind::kName, "a name").text;
    node->target.line = line;
    node->macro->name = node->target.name;
    parse_signature(*node->macro);
    node->macro->body = parse_function_body("endmacro");
    return node;
  }

  StatementPtr parse_call_block(int line) {
    StatementPtr node = start(Kind::kCallBlock, line);
    node->macro = std::make_unique<MacroDefinition>();
    node->macro->line = line;
    node->macro->name = "caller";
    if (tokens_.current().is_operator("(")) parse_signature(*node->macro);
    node->expressions.push_back(expressions_.parse());
    if (node->expressions[0]->kind != Expression::Kind::kCall)
      fault_at(line, "the tag 'call' needs the call of a macro");
    node->macro->body = parse_function_body("endcall");
    return node;
  }

  StatementPtr parse_generation(int line) {
    StatementPtr node = start(Kind::kGeneration, line);
    node->bodies.push_back(parse_function_body("endgeneration"));
    marks_generation_ = true;
    return node;
  }

  StatementPtr parse_filter_block(int line) {
    StatementPtr node = start(Kind::kFilter, line);
    node->filter = expressions_.parse_block_filter(true);
    node->bodies.push_back(parse_whole_body("endfilter"));
    return node;
  }

  StatementPtr parse_with(int line) {
    StatementPtr node = start(Kind::kWith, line);
    while (tokens_.current().kind != TokenKind::kBlockEnd) {
      if (!node->targets.empty()) tokens_.expect_operator(",");
      node->targets.push_back(parse_target_part(false));
      tokens_.expect_operator("=");
      node->expressions.push_back(expressions_.parse());
    }
    node->bodies.push_back(parse_whole_body("endwith"));
    return node;
  }

  StatementPtr parse_print(int line) {
    StatementPtr node = start(Kind::kPrint, line);
    while (tokens_.current().kind != TokenKind::kBlockEnd) {
      if (!node->expressions.empty()) tokens_.expect_operator(",");
      node->expressions.push_back(expressions_.parse());
    }
    return node;
  }

  // A name, an attribute or several in brackets.
  Target parse_target_part(bool with_attributes) {
    if (tokens_.current().is_operator("(")) {
      const int line = tokens_.next().line;
      if (++nested_ > kMaxBlocks) fault_at(line, "too many brackets");
      Target target = parse_target(with_attributes);
      --nested_;
      tokens_.expect_operator(")");
      return target;
    }
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

  Target parse_target(bool with_attributes, std::string_view end = {}) {
    Target target;
    target.line = tokens_.line();
    bool is_tuple = false;
    const auto ends = [&] {
      const Token& token = tokens_.current();
      return token.kind == TokenKind::kBlockEnd || token.is_operator(")") ||
             (!end.empty() && token.is_name(end));
    };
    while (!ends()) {
      target.parts.push_back(parse_target_part(with_attributes));
      if (!tokens_.skip_operator(",")) break;
      is_tuple = true;
    }
    if (is_tuple) return target;
    if (target.parts.empty()) tokens_.unexpected("a name to set");
    Target only = std::move(target.parts[0]);
    return only;
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
