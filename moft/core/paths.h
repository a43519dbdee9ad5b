// Paths as people write them where no shell has expanded them: in recipes, in
// `key=value`, in quotes.
//
// Thread safety: reads the environment; pure otherwise.
#pragma once

#include <string>
#include <vector>

namespace moft {

// `~` and `~/..` begin with the home folder, `$NAME` and `${NAME}` stand for
// the environment variable, `$$` for `$`; every other character is itself. An
// absolute path that exists is taken as it is written, and so is one that
// exists and holds a `$` before a name that is not a variable. `what` names the
// path in messages ("output", "--to"). CallerError for a variable that is not
// set or empty, another user's home (`~user`), and `${` without its `}`.
std::string expand_path(const std::string& path, const std::string& what);

// True when `path` holds `*`, `?` or `[`.
bool is_glob(const std::string& path);

// The files that match a shell pattern (`*`, `?`, `[a-z]`; a leading dot only
// where it is written), sorted by their bytes; none: an empty list.
// CallerError when a folder cannot be read.
std::vector<std::string> match_glob(const std::string& pattern);

}  // namespace moft
