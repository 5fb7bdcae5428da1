# AddressSanitizer: C++ tests, and the broker under the tests from outside.
# To be sourced by tests/run.

suite_asan() {
  built asan asan all -DKELPMQ_WARNINGS_AS_ERRORS=ON || return 0
  junit asan-unit build/logs/asan-unit.xml \
    ctest --preset asan -j "$JOBS" --output-junit "$PWD/build/logs/asan-unit.xml"
  conformance_on asan-conformance "$ASAN"
  e2e_on asan-e2e "$ASAN"
}
