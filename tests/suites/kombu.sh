# Kombu's transport: its tests, Kombu's own, and the shorter ones of Celery's own.
# To be sourced by tests/run.

readonly KOMBU_PACKAGES=(redis-server)
readonly KOMBU_PYTHON=$PWD/build/kombu-client/bin/python

# output_of PID FILE: what a process of ours has written, once it has ended, with its exit code.
output_of() {
  local code=0
  wait "$1" || code=$?
  cat "$2"
  return "$code"
}

suite_kombu() {
  RUNLEVEL=1 install_packages "${KOMBU_PACKAGES[@]}"  # RUNLEVEL: the service is not to be started.
  built kombu release kelpmq -DBUILD_TESTING=OFF || return 0
  check kombu-wheel with_wheel build/kombu-client "[kombu]" -r tests/e2e/kombu/requirements.txt
  check kombu-types "$KOMBU_PYTHON" -m mypy --config-file client/python/pyproject.toml \
    client/python/src/kelpmq_kombu
  # Kombu's and Celery's mostly wait, so they run beside ours.
  "$KOMBU_PYTHON" tests/e2e/kombu/run_kombu >build/logs/kombu-upstream.out 2>&1 </dev/null &
  local kombu=$!
  "$KOMBU_PYTHON" tests/e2e/kombu/run_celery >build/logs/celery-upstream.out 2>&1 </dev/null &
  local celery=$!
  junit kombu build/logs/kombu.xml "$KOMBU_PYTHON" -m pytest -q --durations 10 \
    --confcutdir tests/e2e/kombu --junit-xml build/logs/kombu.xml tests/e2e/kombu
  counted kombu-upstream output_of "$kombu" build/logs/kombu-upstream.out
  counted celery-upstream output_of "$celery" build/logs/celery-upstream.out
}

# nightly_kombu: what takes half an hour, and how fast the Python packages are. Needs the release build,
# and RabbitMQ to compare with.
nightly_kombu() {
  RUNLEVEL=1 install_packages "${KOMBU_PACKAGES[@]}"
  check kombu-wheel with_wheel build/kombu-client "[kombu]" -r tests/e2e/kombu/requirements.txt
  counted celery-long "$KOMBU_PYTHON" tests/e2e/kombu/run_celery --long
  check kombu-speed "$KOMBU_PYTHON" tests/bench/kombu/load --check
  check python-speed "$KOMBU_PYTHON" tests/bench/python_client --check
  check emulator-start "$KOMBU_PYTHON" tests/bench/emulator --check
}
