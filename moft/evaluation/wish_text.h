// Answers to wishes in words: for the terminal, the page and Markdown.
//
// Thread safety: pure.
#pragma once

#include <string>
#include <vector>

#include "moft/evaluation/front.h"
#include "moft/evaluation/wish.h"

namespace moft {

// What an unmet wish lacks: "0.12 short of relevance >= 0.6 and 0.5 nats over
// kl <= 2".
std::string lack_text(const WishAnswer& answer);

// The weights as `--weights` reads them: "a=0.3,b=0.7".
std::string weights_text(
    const FrontPoint& point, const std::vector<std::string>& objectives);

// A table for the terminal: rewards and KL of the answer with intervals, and
// what became of each bound.
std::string wish_block(const Report& report, const WishAnswer& answer);

// The answers to the examples as a section of the page or of a Markdown file;
// empty where the report answers none (example_wishes).
std::string wishes_html(const Report& report);
std::string wishes_markdown(const Report& report);

}  // namespace moft
