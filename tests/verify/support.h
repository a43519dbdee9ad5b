// Fixtures of tests/reference/exact/.
#pragma once

#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "verify/distributions.h"

namespace moft::exact {

inline nlohmann::json fixture(const std::string& name) {
  std::ifstream file(
      std::string(MOFT_SOURCE_DIR) + "/tests/reference/exact/" + name);
  return nlohmann::json::parse(file);
}

inline void expect_near(
    const Vector& actual,
    const nlohmann::json& expected,
    double tolerance,
    const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(actual[i], expected[i].get<double>(), tolerance)
        << what << " [" << i << "]";
  }
}

inline void expect_near(
    const Matrix& actual,
    const nlohmann::json& expected,
    double tolerance,
    const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (std::size_t i = 0; i < actual.size(); ++i)
    expect_near(actual[i], expected[i], tolerance, what);
}

}  // namespace moft::exact
