// Cases of tests/reference/chat/ and what they expect.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "moft/chat/chat_template.h"

namespace moft {

// 4 July 2026, 15:06:07 local time: that of the reference script.
std::chrono::system_clock::time_point fixture_time();

ChatJson read_ordered_json(const std::filesystem::path& path);

// The rendered text, or nothing for an error, whose message then is in
// `error`. A program that ends otherwise fails the test.
struct Outcome {
  bool rendered = false;
  RenderedChat chat = {};
  std::string error = {};
};
Outcome render_template(
    const std::string& source,
    const Conversation& conversation,
    const RenderOptions& options);

// Characters [from, to) that are marked as generated.
std::vector<std::pair<std::size_t, std::size_t>> generated_spans(
    const RenderedChat& chat);

// A case of render.py: {messages, options, text | error, spans}.
void check_case(
    const std::string& source,
    const ChatJson& expected,
    const ChatJson& tokens);

}  // namespace moft
