# Counting and reporting, for tests/run and its suites. To be sourced by bash.

passed=0 failed=0 skipped=0

# record SUITE PASSED FAILED SKIPPED: one line, and into the sum.
record() {
  passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
  printf '%-24s %5d passed, %d failed, %d skipped  (%d s)\n' \
    "$1" "$2" "$3" "$4" $((SECONDS - started))
}

# check SUITE COMMAND...: one test, which is a command. Its output goes to build/logs/SUITE.log.
check() {
  local suite=$1 started=$SECONDS
  shift
  if "$@" >"build/logs/$suite.log" 2>&1 </dev/null; then
    record "$suite" 1 0 0
  else
    tail -n 30 "build/logs/$suite.log"
    record "$suite" 0 1 0
  fi
}

# junit SUITE REPORT COMMAND...: tests that write a JUnit report. Without one, or when the exit
# code tells a failure that the report does not, the suite counts as one more failure.
junit() {
  local suite=$1 report=$2 started=$SECONDS code=0 counts
  shift 2
  rm -f "$report"
  "$@" >"build/logs/$suite.log" 2>&1 </dev/null || code=$?
  if ! counts=$(python3 tests/lib/count_junit.py "$report"); then
    counts="0 0 0"
  fi
  read -r p f s <<<"$counts"
  if [[ $code -ne 0 && $f -eq 0 ]]; then
    f=1
  fi
  [[ $f -eq 0 ]] || { tail -n 40 "build/logs/$suite.log"; say "    log: build/logs/$suite.log"; }
  record "$suite" "$p" "$f" "$s"
}

# counted SUITE COMMAND...: tests whose last line counts as ours does.
counted() {
  local suite=$1 started=$SECONDS code=0 last pattern
  shift
  pattern='^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$'
  "$@" >"build/logs/$suite.log" 2>&1 </dev/null || code=$?
  last=$(tail -n 1 "build/logs/$suite.log")
  local p=0 f=0 s=0
  if [[ $last =~ $pattern ]]; then
    p=${BASH_REMATCH[1]} f=${BASH_REMATCH[2]} s=${BASH_REMATCH[3]}
  fi
  if [[ $code -ne 0 && $f -eq 0 ]]; then
    f=1
  fi
  [[ $f -eq 0 ]] || { head -n 60 "build/logs/$suite.log"; say "    log: build/logs/$suite.log"; }
  record "$suite" "$p" "$f" "$s"
}
