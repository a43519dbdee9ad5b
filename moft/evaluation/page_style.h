// The style sheet of the report page.
#pragma once

#include <string>

namespace moft {

std::string page_style();

}  // namespace moft
