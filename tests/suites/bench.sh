# Every benchmark, shortly.
# To be sourced by tests/run.

suite_bench() {
  built bench bench kelpmq_benches || return 0
  local bench
  while IFS= read -r bench; do
    check "$(basename "$bench")" "$bench" --benchmark_min_time=0.01
  done < <(find build/bench/tests/bench -maxdepth 2 -type f -name '*_bench' -perm -u+x | sort)
}
