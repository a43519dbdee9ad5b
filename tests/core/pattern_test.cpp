#include "moft/core/pattern.h"

#include <string>

#include <gtest/gtest.h>

#include "moft/core/errors.h"

namespace moft {
namespace {

TEST(Pattern, IsFoundAnywhereUnlessAnchored) {
  const Pattern anywhere("self_attn\\.[qk]_proj", "here");
  EXPECT_TRUE(anywhere.found_in("model.layers.0.self_attn.q_proj.weight"));
  EXPECT_FALSE(anywhere.found_in("model.layers.0.self_attn.v_proj.weight"));
  const Pattern whole("^lm_head\\.weight$", "here");
  EXPECT_TRUE(whole.found_in("lm_head.weight"));
  EXPECT_FALSE(whole.found_in("lm_head.weight.old"));
}

TEST(Pattern, WhatDoesNotCompileIsNamedWithItsPlace) {
  try {
    const Pattern pattern("a(b", "recipe.yaml: conditioning.pattern");
    ADD_FAILURE() << "compiled";
  } catch (const CallerError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("conditioning.pattern"), std::string::npos);
    EXPECT_NE(message.find("a(b"), std::string::npos);
    EXPECT_NE(message.find("byte 3"), std::string::npos) << message;
  }
}

TEST(Pattern, AnExplodingPatternGivesUpWithAnError) {
  const Pattern pattern("^(a+)+$", "here");
  EXPECT_THROW(pattern.found_in(std::string(5000, 'a') + "!"), CallerError);
}

}  // namespace
}  // namespace moft
