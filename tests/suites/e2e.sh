# The release binary, over plain generated stubs.
# To be sourced by tests/run.

# e2e_on NAME BINARY
e2e_on() {
  KELPMQ_BINARY=$PWD/$2 junit "$1" "build/logs/$1.xml" "$PYTHON" -m pytest -q --durations 10 \
    --junit-xml "build/logs/$1.xml" tests/e2e
}

suite_e2e() {
  built e2e release kelpmq -DBUILD_TESTING=OFF || return 0
  e2e_on e2e "$RELEASE"
}
