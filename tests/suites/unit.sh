# C++ tests (preset dev).
# To be sourced by tests/run.

suite_unit() {
  built unit dev all || return 0
  junit unit build/logs/unit.xml ctest --preset dev -j "$JOBS" --output-junit "$PWD/build/logs/unit.xml"
}
