#!/usr/bin/env python3
"""Set-up installs what the program needs, and configures no more than that.

A machine that happens to have a test library, or any other package, hides a
missing line of `scripts/setup`. So nothing here asks whether a build succeeds:

1. CMake configures in an empty folder with every package of the tests and the
   benchmarks made invisible (CMAKE_DISABLE_FIND_PACKAGE_<X>), and it does not
   configure with the tests turned on: the invisibility works.
2. Every system header that moft's objects include, by Ninja's record, and
   every library outside .venv that the program loads belongs to a package
   that the array `packages` of scripts/setup names or depends on.
3. scripts/setup configures a folder again when it lacks the tests that are
   wanted, and leaves a folder that has them.

Usage: set_up.py BUILD_FOLDER     Exit code 77: not a Debian machine (skipped).
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(*command, check=True, **options):
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )
    if check and done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}")
    return done


def fail(message):
    sys.exit(f"set_up: {message}")


# --- 1. Configuring without the packages of tests and benchmarks -----------


def packages_of(folder):
    found = set()
    for file in (ROOT / folder).rglob("CMakeLists.txt"):
        found |= set(re.findall(r"find_package\((\w[\w-]*)", file.read_text()))
    return found


def check_configuration(scratch):
    product = set()
    for file in [ROOT / "CMakeLists.txt", *(ROOT / "cmake").glob("*.cmake")]:
        product |= set(re.findall(r"find_package\((\w[\w-]*)", file.read_text()))
    others = (packages_of("tests") | packages_of("benchmarks")) - product
    if not {"GTest", "benchmark"} <= others:
        fail(f"expected GTest and benchmark among {sorted(others)}")
    invisible = [f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON" for name in others]

    def configure(folder, *settings):
        return run(
            "cmake", "--preset", "release", "-B", scratch / folder,
            *invisible, *settings, cwd=ROOT, check=False,
        )

    plain = configure("plain")
    if plain.returncode != 0:
        fail(f"the program cannot be configured without {sorted(others)}:\n"
             + plain.stdout)
    for option in ("MOFT_TESTS", "MOFT_BENCHMARKS"):
        if configure(option, f"-D{option}=ON").returncode == 0:
            fail(f"{option}=ON configured although its packages are disabled")
    return "configures without " + ", ".join(sorted(others))


# --- 2. Headers and libraries ----------------------------------------------


def declared_packages():
    script = (
        "set -- --sourced; source scripts/setup; "
        'printf "%s\\n" "${packages[@]}"'
    )
    return run("bash", "-c", script, cwd=ROOT).stdout.split()


def dependency_closure(names):
    """The installed packages that `names` need. Of alternatives the first one
    that is installed counts, as on a machine that apt has just filled."""
    separator = "\x1f"
    fields = ["Package", "Provides", "Pre-Depends", "Depends", "db:Status-Abbrev"]
    listing = run(
        "dpkg-query", "-W",
        "-f=" + separator.join("${" + f + "}" for f in fields) + "\n",
    ).stdout
    needs, providers = {}, {}

    def bare(text):
        return re.sub(r"[\s(:\[].*", "", text.strip())

    for line in listing.splitlines():
        package, provides, *depends, status = line.split(separator)
        if not status.startswith("ii"):
            continue
        needs[package] = [
            [bare(choice) for choice in group.split("|")]
            for text in depends
            for group in text.split(",")
            if group.strip()
        ]
        for name in provides.split(","):
            if name.strip():
                providers.setdefault(bare(name), []).append(package)
    closure, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name in closure:
            continue
        closure.add(name)
        for group in needs.get(name, []):
            for choice in group:
                found = [choice] if choice in needs else providers.get(choice)
                if found:
                    waiting += found
                    break
    missing = [name for name in names if name not in needs]
    if missing:
        fail(f"scripts/setup names packages that are not installed: {missing}")
    return closure


def owners_of(paths):
    """Path -> the Debian packages that own it (empty: none)."""
    wanted = {}
    for path in paths:
        real = os.path.realpath(path)
        # Merged /usr: dpkg may know the file by either name.
        names = {path, real}
        names |= {n[4:] for n in names if n.startswith("/usr/lib")}
        names |= {"/usr" + n for n in names if n.startswith("/lib")}
        wanted[path] = names
    every = sorted(set().union(*wanted.values()))
    # dpkg names what it does not know and exits with 1.
    output = run("dpkg", "-S", *every, check=False).stdout
    owners = {}
    for line in output.splitlines():
        match = re.match(r"^([^/]+): (/.*)$", line)
        if match and "no path found" not in line:
            packages = {p.split(":")[0].strip() for p in match[1].split(",")}
            owners.setdefault(match[2], set()).update(packages)
    return {
        path: set().union(*(owners.get(n, set()) for n in names))
        for path, names in wanted.items()
    }


def system_headers(build):
    commands = run("ninja", "-C", build, "-t", "commands", "moft").stdout
    objects = sorted(set(re.findall(r" -o (\S+\.(?:o|gch)) ", commands)))
    record = run("ninja", "-C", build, "-t", "deps", *objects).stdout
    headers = set()
    for line in record.splitlines():
        if line.startswith("    "):
            path = os.path.normpath(os.path.join(build, line.strip()))
            if not Path(path).is_relative_to(ROOT):
                headers.add(path)
    if len(headers) < 100:
        fail(f"Ninja records only {len(headers)} system headers for moft")
    return headers


def loaded_libraries(program):
    text = run("ldd", program).stdout
    if "not found" in text:
        fail(f"ldd {program}:\n{text}")
    paths = set(re.findall(r"(/\S+) \(0x", text))
    venv = str(ROOT / ".venv")
    return {
        p for p in paths
        if not os.path.normpath(p).startswith(venv)
        and not os.path.realpath(p).startswith(venv)
    }


def check_packages(build):
    closure = dependency_closure(declared_packages())
    if {"libgtest-dev", "libbenchmark-dev"} & closure:
        fail("the closure of scripts/setup's packages holds a test library; "
             "this check would not notice that the program needs one")
    headers = system_headers(build)
    libraries = loaded_libraries(build / "bin" / "moft")
    wrong = [
        f"{path} ({', '.join(sorted(owners)) or 'no package'})"
        for path, owners in sorted(owners_of(headers | libraries).items())
        if not owners & closure
    ]
    if wrong:
        fail("the program uses what scripts/setup does not install:\n  "
             + "\n  ".join(wrong[:40]))
    return f"{len(headers)} headers and {len(libraries)} libraries accounted for"


# --- 3. Which folders are configured again ---------------------------------


def check_reconfiguration(scratch):
    script = """
        set -- --sourced; source scripts/setup
        moft_root=$1; with_tests=$2
        timed() { echo "$4 $5 $6"; }
        configure
    """

    def commands(tests_now, wanted):
        root = scratch / "tree"
        shutil.rmtree(root, ignore_errors=True)
        folder = root / "build" / "release"
        folder.mkdir(parents=True)
        if tests_now is not None:
            (folder / "build.ninja").touch()
            (folder / "CMakeCache.txt").write_text(f"MOFT_TESTS:BOOL={tests_now}\n")
        return run("bash", "-c", script.replace("$1", str(root)).replace("$2", wanted),
                   cwd=ROOT).stdout.strip()

    expected = {
        (None, "no"): "--preset release -DMOFT_TESTS=OFF",
        (None, "yes"): "--preset release -DMOFT_TESTS=ON",
        ("OFF", "no"): "",
        ("OFF", "yes"): "--preset release -DMOFT_TESTS=ON",
        ("ON", "no"): "",
        ("ON", "yes"): "",
    }
    for (now, wanted), command in expected.items():
        found = commands(now, wanted)
        if found != command:
            fail(f"folder with MOFT_TESTS={now}, tests wanted: {wanted}: "
                 f"runs '{found}', expected '{command}'")
    return "a folder is configured again only for tests that it lacks"


def main():
    build = Path(sys.argv[1]).resolve()
    if not shutil.which("dpkg-query"):
        print("set_up: skipped: dpkg is missing, this is not a Debian machine")
        sys.exit(77)
    with tempfile.TemporaryDirectory(dir=build) as scratch:
        print(check_configuration(Path(scratch)))
        print(check_packages(build))
        print(check_reconfiguration(Path(scratch)))


if __name__ == "__main__":
    main()
