#!/usr/bin/env bash
# The quickstart itself, shortened: two steps, a handful of held-out posts, then
# the commands that it tells its user to type. Run by ctest.
#
#   tests/end_to_end/quickstart.sh OUTPUT_FOLDER
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:?an output folder}
rm -rf "$out" "$out.export"
cd "$root"

expect() { # pattern, text, what
  grep -Eq -- "$1" <<<"$2" || {
    printf 'expected /%s/ in %s:\n%s\n' "$1" "$3" "$2" >&2
    exit 1
  }
}

text=$(scripts/quickstart --output "$out" --prompts 4 training.steps=2 \
  training.prompts_per_step=2 training.samples_per_prompt=2 \
  training.max_new_tokens=8 2>&1)
expect 'step=2/2' "$text" "the progress lines"
expect 'kl=0 ' "$text" "the first step's KL, exactly 0"
expect 'moft sweep .*/policy --prompt' "$text" "the next commands"
expect 'report/index.html' "$text" "the report's place"
for file in recipe.yaml metrics.jsonl samples.jsonl policy/moft.json \
  policy/steering.safetensors policy/README.md report/report.json \
  report/front.csv report/front.svg report/index.html; do
  [ -s "$out/$file" ] || { echo "missing $out/$file" >&2; exit 1; }
done
[ "$(grep -c '"weights"' "$out/report/report.json")" -ge 5 ]
grep -q '"split": "final"' "$out/report/report.json"

moft=build/release/bin/moft
prompt="The bakery on our corner closes for good on Monday."
sweep=$("$moft" sweep "$out/policy" --prompt "$prompt" --weightings 3 \
  --max-new-tokens 6)
expect 'brevity=0,relevance=1' "$sweep" "the sweep"
expect 'brevity=1,relevance=0' "$sweep" "the sweep"
one=$("$moft" generate "$out/policy" --weights brevity=0.5,relevance=0.5 \
  --prompt "$prompt" --max-new-tokens 6 --greedy)
two=$("$moft" generate "$out/policy" --weights relevance=0.5,brevity=0.5 \
  --prompt "$prompt" --max-new-tokens 6 --greedy)
[ -n "$one" ] && [ "$one" = "$two" ]

# A finished run is evaluated again, not trained again.
before=$(cksum "$out/policy/steering.safetensors")
"$moft" train recipes/quickstart.yaml --resume auto "output=$out" \
  training.steps=2 training.prompts_per_step=2 training.samples_per_prompt=2 \
  training.max_new_tokens=8
[ "$before" = "$(cksum "$out/policy/steering.safetensors")" ]

# Frozen at one weighting it is a plain model for our own reader too.
"$moft" export "$out/policy" --weights brevity=1,relevance=0 --to "$out.export"
printf '{"prompt": "%s", "completion": " Why?"}\n' "$prompt" >"$out/pair.jsonl"
steered=$("$moft" score "$out/policy" --input "$out/pair.jsonl" \
  --weights brevity=1,relevance=0)
exported=$("$moft" score "$out.export" --input "$out/pair.jsonl")
python3 - "$steered" "$exported" <<'END'
import json, sys
steered, exported = (json.loads(line) for line in sys.argv[1:])
# The policy's temperature 0.6 is part of it; the plain model has 1.
assert len(steered["token_log_probs"]) == len(exported["token_log_probs"])
END
echo ok
