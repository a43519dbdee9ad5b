// Chat templates as apply_chat_template uses them.
#include <gtest/gtest.h>

#include "moft/chat/chat_templates.h"

namespace moft {
namespace {

TEST(ChatTemplates, ChooseTheDefaultOne) {
  const auto templates =
      ChatTemplates::single(ChatTemplate::parse("{{ 1 }}", "t"));
  EXPECT_EQ(templates.choose("", false).source(), "{{ 1 }}");
}

}  // namespace
}  // namespace moft
