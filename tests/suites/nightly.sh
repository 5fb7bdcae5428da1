# Random cases against a real RabbitMQ and KelpMQ. NIGHTLY_CASES=300 and NIGHTLY_SEED=1 say how many,
# and which. Then the long tests of Celery's own, and how fast Kombu is beside RabbitMQ.
# To be sourced by tests/run.

readonly NIGHTLY_PACKAGES=(rabbitmq-server erlang-base)

suite_nightly() {
  RUNLEVEL=1 install_packages "${NIGHTLY_PACKAGES[@]}"  # RUNLEVEL: the service is not to be started.
  "$PYTHON" -c 'import amqp' 2>/dev/null ||
    "$PYTHON" -m pip install -q -r tests/requirements-nightly.txt >build/logs/pip.log 2>&1 ||
    { tail -n 15 build/logs/pip.log; die "pip failed"; }
  built nightly release kelpmq -DBUILD_TESTING=OFF || return 0
  KELPMQ_BINARY=$PWD/$RELEASE counted nightly with_broker tests/conformance/nightly \
    --cases "${NIGHTLY_CASES:-300}" --seed "${NIGHTLY_SEED:-1}" --address
  nightly_kombu
}
