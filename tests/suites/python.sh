# The Python client, installed from its wheel.
# To be sourced by tests/run.

# The wheel with the packages to test it with; another environment holds the wheel alone.
python_wheel() {
  with_wheel build/python-client "" -r tests/e2e/python/requirements.txt && with_wheel build/python-empty ""
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
