# ThreadSanitizer: the C++ tests that run threads.
# To be sourced by tests/run.

suite_tsan() {
  built tsan tsan kelpmq_engine_tests || return 0
  built tsan tsan kelpmq_client_tests || return 0
  # The broker that the C++ client's tests talk to is not what they test.
  built tsan release kelpmq -DBUILD_TESTING=OFF || return 0
  KELPMQ_BINARY=$PWD/$RELEASE junit tsan-unit build/logs/tsan-unit.xml \
    ctest --preset tsan -j "$JOBS" --output-junit "$PWD/build/logs/tsan-unit.xml"
}
