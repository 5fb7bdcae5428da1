# ThreadSanitizer: the C++ tests that run threads and link no gRPC.
# To be sourced by tests/run.

suite_tsan() {
  built tsan tsan kelpmq_engine_tests || return 0
  junit tsan-unit build/logs/tsan-unit.xml \
    ctest --preset tsan -j "$JOBS" --output-junit "$PWD/build/logs/tsan-unit.xml"
}
