#!/bin/sh
# tests/fuzz/run.sh SECONDS [DIR]
#
# Runs every fuzz program for an equal share of SECONDS. DIR holds the built
# programs; without it they are built first, in build/fuzz. Findings are saved
# in the current folder; `DIR/fuzz_x replay FILE` runs one again.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
seconds=${1:?usage: run.sh SECONDS [DIR]}
programs=${2:-}
if [ -z "$programs" ]; then
  programs=$root/build/fuzz
  cmake -S "$here" -B "$programs" -G Ninja >/dev/null
  cmake --build "$programs"
fi

# A finding must stop the program; memory beyond reason is one, and so is an
# exception that nobody caught.
export ASAN_OPTIONS=abort_on_error=0:handle_abort=1:detect_leaks=1:\
max_allocation_size_mb=512:allocator_may_return_null=0
export UBSAN_OPTIONS=print_stacktrace=1

fixtures=$root/tests/reference
share=$(awk "BEGIN { print $seconds / 6 }")
fuzz() {
  name=$1
  shift
  "$programs/fuzz_$name" "$share" "$here/corpus/$name" "$@"
}
fuzz safetensors "$fixtures"/checkpoints/*.safetensors
fuzz peft "$fixtures"/adapters/*/adapter_*
fuzz gguf "$fixtures"/checkpoints/*.gguf
fuzz tokenizer "$fixtures"/tokenizers/fixtures/*/tokenizer.json \
  "$fixtures"/tokenizers/fixtures/*/*.model
fuzz chat
fuzz hf_config "$fixtures"/checkpoints/sharded/*.json
fuzz recipe
