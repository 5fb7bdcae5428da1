# The Python client, installed from its wheel.
# To be sourced by tests/run.

# A wheel with the release binary in it, and the packages to test it with, in an environment of
# their own; another one holds the wheel alone.
python_wheel() {
  rm -rf build/python-wheel
  python3 -m venv --clear build/python-client &&
    KELPMQ_BINARY=$PWD/$RELEASE build/python-client/bin/python -m pip wheel -q --no-deps \
      -w build/python-wheel ./client/python &&
    build/python-client/bin/python -m pip install -q build/python-wheel/kelpmq-*.whl \
      -r tests/e2e/python/requirements.txt &&
    python3 -m venv --clear build/python-empty &&
    build/python-empty/bin/python -m pip install -q build/python-wheel/kelpmq-*.whl
}

suite_python() {
  built python release kelpmq -DBUILD_TESTING=OFF || return 0
  check python-wheel python_wheel
  check python-types build/python-client/bin/python -m mypy --config-file client/python/pyproject.toml \
    client/python/src/kelpmq client/python/src/kelpmq_pytest client/python/src/kombu_emulator
  KELPMQ_EMPTY_PYTHON=$PWD/build/python-empty/bin/python \
    junit python build/logs/python.xml build/python-client/bin/python -m pytest -q --durations 10 \
    --confcutdir tests/e2e/python --junit-xml build/logs/python.xml tests/e2e/python
}
