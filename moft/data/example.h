// Examples: the rows of JSON-lines files, as the prompt template and the
// rewards see them.
//
// One object per line, in UTF-8, the file plain or compressed with gzip. Text
// fields keep their names, those inside objects get
// "reward_model.ground_truth"; lists of messages are dialogues
// (chat_messages.h). Anything else a line holds (numbers, other lists) is
// remembered by its JSON type only, so that using it in a prompt or a reward
// can be refused with the right words.
//
// Thread safety: plain data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "moft/data/chat_messages.h"

namespace moft {

struct Example {
  // The field "id" (text or whole number), else the line's number.
  std::string id = {};
  bool has_id = false;
  std::map<std::string, std::string> fields = {};  // the text fields
  // Name to JSON type, or to "chat messages ..", "list of objects".
  std::map<std::string, std::string> other_fields = {};
  // Name to JSON of the fields at the top that are not text.
  std::map<std::string, std::string> values = {};
  std::map<std::string, Dialogue> dialogues = {};
  // The fields "tools" (a list) and "chat_template_kwargs" (an object) as JSON,
  // checked by the chat template that reads them; empty: none.
  std::string tools = {};
  std::string chat_template_kwargs = {};
  std::int64_t line = 0;   // counted from 1; 0: not from a file
  std::string where = {};  // "posts/train.jsonl:3", for messages
};

// Names an example in messages: its file and line, else its id.
std::string place_of(const Example& example);

// Reads every line. Ids may repeat: nothing finds an example by its id. Throws
// CallerError naming `file:line` for a line that is empty, is not JSON, is not
// an object or names a field twice, and naming the file for one that cannot be
// read, holds no example, or is of another format (which, and the command that
// converts it).
std::vector<Example> read_examples(const std::filesystem::path& path);

// The first of them alone.
Example read_first_example(const std::filesystem::path& path);

// Reads several files, one after the other. Among several an example without an
// id is called "<file name>:<line>".
std::vector<Example> read_examples(const std::vector<std::string>& files);

// The text of one field. Of a dialogue in the field `messages`,
// "messages.user", "messages.answer" and "messages.system" are texts too
// (named_turn). Throws CallerError naming the example's place, the field, what
// the `user` needed it for ("the prompt", "objective relevance") and the
// nearest name, when the field is absent or is not text.
const std::string& text_field(
    const Example& example, const std::string& name, const std::string& user);

}  // namespace moft
