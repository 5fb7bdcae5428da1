# RabbitMQ's recorded answers, the runner itself, the coverage of the rules.
# To be sourced by tests/run.

# conformance_on NAME BINARY
conformance_on() {
  KELPMQ_BINARY=$PWD/$2 junit "$1-runner" "build/logs/$1-runner.xml" "$PYTHON" -m pytest -q \
    --junit-xml "build/logs/$1-runner.xml" tests/conformance
  KELPMQ_BINARY=$PWD/$2 counted "$1" with_broker tests/conformance/run_cases --address
}

suite_conformance() {
  built conformance release kelpmq -DBUILD_TESTING=OFF || return 0
  conformance_on conformance "$RELEASE"
  counted rule-coverage tests/conformance/coverage --missing
}
