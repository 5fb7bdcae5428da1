"""Who may call, and what they may do: users, passwords, tokens and permissions."""
import base64
import hashlib
import json
import subprocess

import broker as broker_process
import grpc
import pytest
import users
import wire
from grpc_health.v1 import health_pb2, health_pb2_grpc
from kelpmq.v1 import admin_pb2, session_pb2, topology_pb2
from kelpmq.v1 import messaging_pb2 as pb

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
PERMISSION_DENIED = grpc.StatusCode.PERMISSION_DENIED
FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT
TOKEN = "a-token-that-nobody-guesses"


def _digest(token: str) -> str:
    return base64.b64encode(hashlib.sha256(token.encode()).digest()).decode()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A broker with users; their passwords are their names with -secret behind."""
    file = users.write(
        tmp_path_factory.mktemp("users") / "users.json",
        users=[users.user("root", "administrator"), users.user("app"), users.user("proxy", "impersonator")],
        permissions=[users.permission("root", **users.ALL), users.permission("proxy", **users.ALL),
                     users.permission("app", configure="^app", write="^(app|amq.default)",
                                      read="^app")],
        topic_permissions=[{"user": "app", "vhost": "/", "exchange": "app-topic",
                            "write": r"^{username}\.", "read": r"^{username}\."}],
        tokens=[{"user": "app", "sha256": _digest(TOKEN)},
                {"user": "app", "sha256": _digest("old"), "expires": "2020-01-01T00:00:00Z"}])
    with broker_process.running("--users-file", file) as running:
        yield running


def login(broker, name: str, password: str | None = None) -> wire.Client:
    return wire.Client(broker.address, wire.basic(name, password or users.password_of(name)))


@pytest.fixture
def root(guarded):
    client = login(guarded, "root")
    yield client
    client.close()


@pytest.fixture
def app(guarded):
    client = login(guarded, "app")
    yield client
    client.close()


def admin(client: wire.Client, method: str, **fields):
    return getattr(client.admin, method)(
        getattr(admin_pb2, f"{method}Request")(**fields), timeout=wire.PATIENCE)


def put_user(root: wire.Client, *tags: str) -> str:
    """A new user with all permissions in the default vhost."""
    name = wire.new_name("user")
    admin(root, "PutUser", user=admin_pb2.User(name=name, tags=tags),
          password=users.password_of(name))
    allow(root, name, **users.ALL)
    return name


def allow(root: wire.Client, name: str, vhost: str = "/", **patterns: str) -> None:
    admin(root, "SetPermission", permission=admin_pb2.Permission(
        vhost=vhost, user=name, **{**users.NONE, **patterns}))


# Login.


@pytest.mark.parametrize("authorization", [
    None, wire.basic("app", "wrong"), wire.basic("nobody", "app-secret"), wire.basic("guest", "guest"),
    wire.basic("app", ""), "Basic !", "Basic", "Basic YXBw", "Bearer wrong", "Bearer", "Digest x",
    "x" * 4000])
def test_AUTH_01_bad_credentials_are_refused(guarded, authorization):
    client = wire.Client(guarded.address, authorization)
    with wire.fails(UNAUTHENTICATED, "BAD_CREDENTIALS"):
        client.messaging.GetServerInfo(pb.GetServerInfoRequest(), timeout=wire.PATIENCE)
    stream = wire.ConsumeStream.open(client)
    assert stream.end() == (UNAUTHENTICATED, "BAD_CREDENTIALS")
    client.close()


def test_a_password_may_have_colons_and_any_letters(root, guarded):
    name = wire.new_name("user")
    admin(root, "PutUser", user=admin_pb2.User(name=name), password="a:b:ü €")
    client = login(guarded, name, "a:b:ü €")
    assert client.messaging.GetServerInfo(pb.GetServerInfoRequest(), timeout=wire.PATIENCE).version
    client.close()


def test_health_answers_without_login(guarded):
    with grpc.insecure_channel(guarded.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        status = health.Check(health_pb2.HealthCheckRequest(), timeout=wire.PATIENCE).status
    assert status == health_pb2.HealthCheckResponse.SERVING


def test_a_token_stands_for_its_user(guarded):
    client = wire.Client(guarded.address, f"Bearer {TOKEN}")
    client.declare("app-by-token")
    with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED"):
        client.declare("other")
    client.close()


def test_an_expired_token_says_so(guarded):
    client = wire.Client(guarded.address, "bearer old")
    with wire.fails(UNAUTHENTICATED, "TOKEN_EXPIRED"):
        client.declare("app-too-late")
    client.close()


def test_failed_logins_are_slowed_down(guarded):
    client = login(guarded, "somebody", "wrong")
    for _ in range(10):
        with wire.fails(UNAUTHENTICATED, "BAD_CREDENTIALS") as info:
            client.declare()
    assert "try again" not in info.value.details()
    with wire.fails(UNAUTHENTICATED, "BAD_CREDENTIALS") as info:
        client.declare()
    assert "try again in" in info.value.details()
    client.close()


def test_clients_that_leave_while_they_are_verified_do_no_harm(guarded, root):
    client = login(guarded, "leaver", "x")
    calls = [client.messaging.GetServerInfo.future(pb.GetServerInfoRequest(), timeout=wire.PATIENCE)
             for _ in range(20)]
    for call in calls[::2]:
        call.cancel()
    assert {call.code() for call in calls[1::2]} == {UNAUTHENTICATED}
    root.declare()
    client.close()


# Without configured users.


def test_without_users_everybody_is_guest(client, broker):
    assert [u.name for u in admin(client, "ListUsers").users] == ["guest"]
    for authorization in (None, wire.basic("guest", "guest")):
        caller = wire.Client(broker.address, authorization)
        caller.declare()
        admin(caller, "ListSessions")
        caller.close()


def test_deleting_guest_closes_the_door(own_broker):
    anybody = wire.Client(own_broker.address)
    stream = wire.ConsumeStream.open(anybody)
    stream.ping()
    name = put_user(anybody, "administrator")
    named = login(own_broker, name)
    assert admin(named, "DeleteUser", name="guest").deleted
    assert stream.end() == (UNAUTHENTICATED, "BAD_CREDENTIALS")
    with wire.fails(UNAUTHENTICATED, "BAD_CREDENTIALS"):
        anybody.declare()
    named.declare()
    anybody.close(), named.close()


def test_a_password_for_guest_closes_the_door(own_broker):
    anybody = wire.Client(own_broker.address)
    admin(anybody, "PutUser", user=admin_pb2.User(name="guest", tags=["administrator"]), password="new")
    with wire.fails(UNAUTHENTICATED, "BAD_CREDENTIALS"):
        anybody.declare()
    for password, code in (("guest", UNAUTHENTICATED), ("new", None)):
        client = login(own_broker, "guest", password)
        if code:
            with wire.fails(code, "BAD_CREDENTIALS"):
                admin(client, "ListUsers")
        else:
            admin(client, "ListUsers")
        client.close()
    anybody.close()


# Permissions.


def test_AUTH_02_no_permission_in_the_vhost(root, guarded):
    name = wire.new_name("user")
    admin(root, "PutUser", user=admin_pb2.User(name=name), password=users.password_of(name))
    client = login(guarded, name)
    with wire.fails(PERMISSION_DENIED, "VHOST_ACCESS_REFUSED"):
        client.session.OpenSession(session_pb2.OpenSessionRequest(), timeout=wire.PATIENCE)
    with wire.fails(PERMISSION_DENIED, "VHOST_ACCESS_REFUSED"):
        client.publish("q", "lost")
    assert wire.ConsumeStream.open(client).end() == (PERMISSION_DENIED, "VHOST_ACCESS_REFUSED")
    with wire.fails(grpc.StatusCode.NOT_FOUND, "VHOST_NOT_FOUND"):
        client.session.OpenSession(session_pb2.OpenSessionRequest(vhost="none"), timeout=wire.PATIENCE)
    client.close()


def test_AUTH_03_configure_is_for_declaring_and_deleting(app, root):
    name = app.declare(wire.new_name("app-q"))
    app.declare_exchange("direct", name=wire.new_name("app-x"))
    for refused in (lambda: app.declare("other"), lambda: app.declare(""),
                    lambda: app.declare_exchange("direct", name="other")):
        with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED") as info:
            refused()
    other = root.declare()
    with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED") as info:
        app.topology.DeleteQueue(topology_pb2.DeleteQueueRequest(name=other), timeout=wire.PATIENCE)
    assert info.value.details() == (
        f"ACCESS_REFUSED - access to queue '{other}' in vhost '/' refused for user 'app'")
    assert app.topology.DeleteQueue(
        topology_pb2.DeleteQueueRequest(name=name), timeout=wire.PATIENCE).deleted


def test_AUTH_03_a_server_made_name_is_checked_too(root, guarded):
    name = put_user(root)
    allow(root, name, configure=r"^amq\.gen-[\w-]{22}$", read=r"^amq\.gen")
    client = login(guarded, name)
    assert client.declare("").startswith("amq.gen-")
    stream = wire.ConsumeStream.open(client)
    stream.ask(start=pb.ConsumerSpec(temporary_queue=pb.TemporaryQueue()))
    assert stream.event("started").queue.startswith("amq.gen-")
    stream.call.cancel()
    client.close()


def test_AUTH_04_write_is_for_publishing(app, root):
    name = root.declare()
    app.publish(name, "by the default exchange")  # amq.default
    exchange = root.declare_exchange("fanout")
    with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED"):
        app.messaging.Publish(pb.PublishRequest(exchange=exchange), timeout=wire.PATIENCE)
    # Whether there is such an exchange is nobody's business.
    with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED"):
        app.messaging.Publish(pb.PublishRequest(exchange="none"), timeout=wire.PATIENCE)
    batch = app.messaging.PublishBatch(pb.PublishBatchRequest(routing_key=name, items=[
        pb.PublishItem(message=wire.message("a")), pb.PublishItem(exchange=exchange),
        pb.PublishItem(message=wire.message("b"))]), timeout=wire.PATIENCE)
    assert batch.accepted_count == 2
    assert [(f.index, f.reason, f.amqp_code) for f in batch.failures] == [(1, "ACCESS_REFUSED", 403)]
    assert wire.bodies(root.get(name, max_messages=9).deliveries) == ["by the default exchange", "a", "b"]
    with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED"):
        app.messaging.PublishBatch(pb.PublishBatchRequest(exchange=exchange), timeout=wire.PATIENCE)


def test_AUTH_05_read_is_for_getting_consuming_and_purging(app, root):
    name = root.declare()
    with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED"):
        app.get(name)
    with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED"):
        app.topology.PurgeQueue(topology_pb2.PurgeQueueRequest(name=name), timeout=wire.PATIENCE)
    stream = wire.ConsumeStream.open(app)
    assert stream.refused_start(queue=name).error.reason == "ACCESS_REFUSED"
    assert stream.get(name).error.reason == "ACCESS_REFUSED"
    own = app.declare(wire.new_name("app-q"))
    stream.start(own)
    app.publish(own, "mine")
    assert wire.bodies(stream.deliveries(1)) == ["mine"]
    stream.call.cancel()


def test_AUTH_06_binding_writes_the_destination_and_reads_the_source(app, root):
    own, other = app.declare(wire.new_name("app-q")), root.declare()
    readable = app.declare_exchange("direct", name=wire.new_name("app-x"))
    secret = root.declare_exchange("direct")
    app.bind(own, readable, "k")
    for queue, exchange in ((other, readable), (own, secret)):
        with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED"):
            app.bind(queue, exchange, "k")


def test_AUTH_07_passive_declare_needs_none(app, root):
    name, exchange = root.declare(), root.declare_exchange("direct")
    assert app.declare(name, passive=True) == name
    app.declare_exchange("", name=exchange, passive=True)


def test_AUTH_08_dead_lettering_and_alternates_are_forwarding(app, root):
    with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED"):
        app.declare(wire.new_name("app-q"), options=topology_pb2.QueueOptions(dead_letter_exchange="dlx"))
    app.declare(wire.new_name("app-q"), options=topology_pb2.QueueOptions(dead_letter_exchange="app-dlx"))
    with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED"):
        app.declare_exchange("direct", name=wire.new_name("app-x"), alternate_exchange="other")
    app.declare_exchange("direct", name=wire.new_name("app-x"), alternate_exchange="app-other")
    # What is there already forwards already.
    name = root.declare(wire.new_name("app-q"), options=topology_pb2.QueueOptions(dead_letter_exchange="dlx"))
    app.declare(name, options=topology_pb2.QueueOptions(dead_letter_exchange="dlx"))


def test_AUTH_09_an_empty_pattern_refuses_every_name(root, guarded):
    name = put_user(root)
    allow(root, name, configure="", write="mid", read="")
    client = login(guarded, name)
    with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED"):
        client.declare("a-mid-b")
    exchange = root.declare_exchange("fanout", name=wire.new_name("a-mid-b"))
    client.messaging.Publish(pb.PublishRequest(exchange=exchange), timeout=wire.PATIENCE)
    client.close()


def test_AUTH_10_topic_permissions_are_about_the_key(app, root):
    app.declare_exchange("topic", name="app-topic")
    own = app.declare(wire.new_name("app-q"))
    app.bind(own, "app-topic", "app.#")
    app.messaging.Publish(pb.PublishRequest(exchange="app-topic", routing_key="app.1"), timeout=wire.PATIENCE)
    with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED") as info:
        app.messaging.Publish(pb.PublishRequest(exchange="app-topic", routing_key="no.1"), timeout=wire.PATIENCE)
    assert info.value.details() == (
        "ACCESS_REFUSED - access to topic 'no.1' in exchange 'app-topic' in vhost '/' refused for user 'app'")
    with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED"):
        app.bind(own, "app-topic", "#")
    root.topology.DeleteExchange(topology_pb2.DeleteExchangeRequest(name="app-topic"), timeout=wire.PATIENCE)
    # The rule is of a topic exchange: another type under the name is not held to it.
    app.declare_exchange("direct", name="app-topic")
    app.messaging.Publish(pb.PublishRequest(exchange="app-topic", routing_key="no.1"), timeout=wire.PATIENCE)
    root.topology.DeleteExchange(topology_pb2.DeleteExchangeRequest(name="app-topic"), timeout=wire.PATIENCE)


def test_USERID_01_user_id_is_the_users_own_name(app, client, guarded):
    own = app.declare(wire.new_name("app-q"))

    def publish(sender, queue, user_id):
        sender.messaging.Publish(pb.PublishRequest(
            routing_key=queue, message=wire.message("m", user_id=user_id)), timeout=wire.PATIENCE)

    publish(app, own, "app")
    publish(app, own, "")
    with wire.fails(FAILED_PRECONDITION, "USER_ID_MISMATCH") as info:
        publish(app, own, "root")
    assert info.value.details() == ("PRECONDITION_FAILED - user_id property set to 'root' but "
                                    "authenticated user was 'app'")
    # Without configured users everybody is guest.
    name = client.declare()
    publish(client, name, "guest")
    with wire.fails(FAILED_PRECONDITION, "USER_ID_MISMATCH"):
        publish(client, name, "root")


def test_USERID_02_an_impersonator_may_use_any_name(root, guarded):
    name = root.declare()
    proxy = login(guarded, "proxy")
    proxy.messaging.Publish(pb.PublishRequest(
        routing_key=name, message=wire.message("m", user_id="zoe")), timeout=wire.PATIENCE)
    assert root.get(name).deliveries[0].message.user_id == "zoe"
    proxy.close()


def test_only_administrators_administer(app, root):
    for method in ("ListUsers", "ListSessions", "ListVhosts", "ListPermissions", "ExportDefinitions"):
        with wire.fails(PERMISSION_DENIED, "ACCESS_REFUSED"):
            admin(app, method)
        admin(root, method)


def test_who_makes_a_vhost_may_use_it(root):
    vhost = wire.new_name("vhost")
    assert admin(root, "PutVhost", vhost=admin_pb2.Vhost(name=vhost)).created
    root.declare(wire.new_name(), vhost=vhost)
    assert [(p.user, p.configure) for p in admin(root, "ListPermissions", vhost=vhost).permissions] == [
        ("root", ".*")]
    admin(root, "DeleteVhost", name=vhost)
    assert not admin(root, "ListPermissions", vhost=vhost).permissions


# Administration.


def test_users_and_permissions_are_listed_without_secrets(root):
    name = put_user(root, "policymaker", "monitoring")
    listed = {u.name: u for u in admin(root, "ListUsers", page_size=1000).users}
    assert list(listed[name].tags) == ["policymaker", "monitoring"]
    assert not any(u.password_hash for u in listed.values())
    assert list(listed) == sorted(listed)
    first = admin(root, "ListUsers", page_size=1)
    second = admin(root, "ListUsers", page_size=1, page_token=first.next_page_token)
    assert [u.name for u in (*first.users, *second.users)] == list(listed)[:2]
    admin(root, "SetTopicPermission", permission=admin_pb2.TopicPermission(
        user=name, exchange="t", write="w", read="r"))
    found = admin(root, "ListTopicPermissions", user=name).permissions
    assert [(p.vhost, p.exchange, p.write, p.read) for p in found] == [("/", "t", "w", "r")]
    assert admin(root, "ClearTopicPermission", user=name).deleted
    assert not admin(root, "ClearTopicPermission", user=name, exchange="t").deleted
    assert admin(root, "ClearPermission", user=name).deleted
    assert not admin(root, "ListPermissions", user=name).permissions
    assert admin(root, "DeleteUser", name=name).deleted
    assert not admin(root, "DeleteUser", name=name).deleted


@pytest.mark.parametrize("fields, reason", [
    ({"user": admin_pb2.User(name="x")}, "CONFLICTING_ARGUMENT"),
    ({"user": admin_pb2.User(name="x", password_hash="kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"),
      "password": "y"}, "CONFLICTING_ARGUMENT"),
    ({"user": admin_pb2.User(), "password": "y"}, "INVALID_NAME"),
    ({"user": admin_pb2.User(name="x" * 256), "password": "y"}, "INVALID_NAME"),
    ({"user": admin_pb2.User(name="x", password_hash="AAAA")}, "INVALID_VALUE"),
    ({"user": admin_pb2.User(name="x", password_hash="AAAA", hashing_algorithm="rot13")}, "INVALID_VALUE"),
    ({"user": admin_pb2.User(name="x", password_hash="$argon2id$v=19$m=4000000,t=2,p=1$YWJj$YWJj")},
     "INVALID_VALUE"),
])
def test_a_bad_user_is_refused(root, fields, reason):
    with wire.fails(INVALID_ARGUMENT, reason):
        admin(root, "PutUser", **fields)


def test_bad_permissions_are_refused(root):
    for method, kind in (("SetPermission", admin_pb2.Permission),
                         ("SetTopicPermission", admin_pb2.TopicPermission)):
        for fields in ({"user": "nobody"}, {"user": "app", "write": "("}, {"user": "app", "read": "x" * 5000}):
            with wire.fails(INVALID_ARGUMENT, "INVALID_VALUE"):
                admin(root, method, permission=kind(**fields))
        with wire.fails(grpc.StatusCode.NOT_FOUND, "VHOST_NOT_FOUND"):
            admin(root, method, permission=kind(user="app", vhost="none"))


@pytest.mark.parametrize("algorithm, name", [
    ("sha256", "rabbit_password_hashing_sha256"), ("sha512", "rabbit_password_hashing_sha512"),
    ("md5", "rabbit_password_hashing_md5"), ("sha256", "")])
def test_hashes_of_rabbitmq_do(root, guarded, algorithm, name):
    salt = bytes([0x90, 0x8D, 0xC6, 0x0A])
    digest = base64.b64encode(salt + hashlib.new(algorithm, salt + b"test12").digest()).decode()
    user = wire.new_name("user")
    admin(root, "PutUser", user=admin_pb2.User(name=user, password_hash=digest, hashing_algorithm=name))
    allow(root, user, **users.ALL)
    client = login(guarded, user, "test12")
    client.declare()
    client.close()
    client = login(guarded, user, "test13")
    with wire.fails(UNAUTHENTICATED, "BAD_CREDENTIALS"):
        client.declare()
    client.close()


def test_changes_and_failed_logins_leave_a_line_without_secrets(tmp_path):
    file = users.write(tmp_path / "users.json", users=[users.user("root", "administrator")])
    running = broker_process.Broker("--users-file", file, "--log-format", "json")
    root = login(running, "root")
    admin(root, "PutUser", user=admin_pb2.User(name="new\nuser", tags=["t"]), password="hush-hush")
    intruder = login(running, "root", "guessed-wrong")
    with wire.fails(UNAUTHENTICATED, "BAD_CREDENTIALS"):
        intruder.declare()
    with wire.fails(INVALID_ARGUMENT, "INVALID_VALUE"):
        allow(root, "nobody")
    root.close(), intruder.close()
    running.stop()
    lines = [json.loads(line) for line in running.stderr().splitlines()]
    made, refused = (line for line in lines if line["message"] == "administration")
    assert (made["rpc"], made["subject"], made["user"], made["outcome"]) == ("PutUser", "new\nuser", "root", "OK")
    assert made["peer"].startswith("ipv4:127.0.0.1:")
    assert (refused["rpc"], refused["outcome"]) == ("SetPermission", "INVALID_ARGUMENT")
    [failed] = (line for line in lines if line["message"] == "login refused")
    assert (failed["level"], failed["user"]) == ("warning", "root")
    assert "hush" not in running.stderr() and "guessed" not in running.stderr()


@pytest.mark.parametrize("content, complaint", [
    ("{", "not valid JSON"), ("{}", "users must be there"), ('{"users": {}}', "must be an array"),
    ('{"users": [{"name": "a", "password_hash": "x"}]}', "users[0].password_hash"),
    ('{"users": [{"name": "a"}], "queues": [{"name": "q", "vhost": "/"}]}', "has only users"),
    ('{"users": [{"name": "a"}], "permissions": [{"user": "b", "vhost": "/"}]}', "no user 'b'"),
    ('{"users": [{"name": "a"}], "tokens": [{"user": "a", "sha256": "AA=="}]}', "tokens[0].sha256")])
def test_a_bad_users_file_keeps_the_broker_from_starting(tmp_path, content, complaint):
    file = tmp_path / "users.json"
    file.write_text(content)
    done = subprocess.run([broker_process.binary(), "serve", "--listen", "127.0.0.1:0", "--users-file", file],
                          capture_output=True, text=True, timeout=wire.PATIENCE)
    assert done.returncode == 64 and complaint in done.stderr and str(file) in done.stderr


def test_made_tokens_and_hashes_fit_a_users_file(tmp_path):
    made = subprocess.run([broker_process.binary(), "make-token", "app", "--lifetime", "1h"],
                          capture_output=True, text=True, check=True, timeout=wire.PATIENCE)
    file = users.write(tmp_path / "users.json", users=[users.user("app")],
                       permissions=[users.permission("app", **users.ALL)],
                       tokens=[json.loads(made.stderr)])
    running = broker_process.Broker("--users-file", file)
    client = wire.Client(running.address, f"Bearer {made.stdout.strip()}")
    client.declare()
    client.close()
    running.stop()
