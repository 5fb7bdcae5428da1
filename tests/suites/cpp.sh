# The C++ client as its users get it: installed, in a package, in a program of their own. Its other
# tests are C++ (suite unit).
# To be sourced by tests/run.

suite_cpp() {
  built cpp release all -DBUILD_TESTING=OFF || return 0
  KELPMQ_BINARY=$PWD/$RELEASE junit cpp build/logs/cpp.xml "$PYTHON" -m pytest -q --durations 5 \
    --junit-xml build/logs/cpp.xml tests/e2e/cpp
}
