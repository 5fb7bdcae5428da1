# The Python client, installed from its wheel. To be sourced by tests/run.

wheel=  # Of the release binary as this run has built it.

# with_wheel ENVIRONMENT EXTRA PIP-ARGUMENT...: a new virtual environment that holds the wheel, with EXTRA ("" or
# "[kombu]"), and what pip is told to install besides. Needs the release build.
with_wheel() {
  local python=$1/bin/python extra=$2
  shift 2
  python3 -m venv --clear "${python%/bin/python}" || return
  if [[ -z $wheel ]]; then
    rm -rf build/python-wheel
    KELPMQ_BINARY=$PWD/$RELEASE "$python" -m pip wheel -q --no-deps -w build/python-wheel ./client/python || return
    wheel=$(echo build/python-wheel/kelpmq-*.whl)
  fi
  "$python" -m pip install -q "$wheel$extra" "$@"
}
