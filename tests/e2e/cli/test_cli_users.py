"""user, permission, definitions, hash-password, make-token, and logging in."""
import json

import broker as broker_process
import pytest
import users

RABBITMQ = {"queues": [{"name": "from-a-file", "vhost": "/", "durable": True}],
            "global_parameters": [{"name": "cluster_name", "value": "x"}]}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    file = users.write(tmp_path_factory.mktemp("users") / "users.json",
                       users=[users.user("root", "administrator")],
                       permissions=[users.permission("root", **users.ALL)])
    with broker_process.running("--users-file", file) as running:
        yield running


@pytest.fixture
def as_root(kelpmq, guarded, tmp_path):
    """The command line, logged in as an administrator by a password file."""
    command_line = type(kelpmq)(guarded.address)
    secret = tmp_path / "root.secret"
    secret.write_text(users.password_of("root") + "\n")
    command_line.environment |= {"KELPMQ_USER": "root", "KELPMQ_PASSWORD_FILE": str(secret)}
    return command_line


def test_a_user_is_made_listed_and_deleted(as_root, name):
    assert as_root("user", "put", name, "--tag", "a", "--tag", "b", "--new-password-file", "-",
                   stdin="secret\n").out == f"user '{name}' made\n"
    assert as_root("user", "put", name, KELPMQ_NEW_PASSWORD="x").out == f"user '{name}' updated\n"
    assert {"name": name, "tags": []} in as_root("list", "users", "--json").json
    assert as_root("user", "delete", name).out == f"user '{name}' deleted\n"
    assert as_root("user", "delete", name, "--json").json == {"deleted": False}


def test_permissions_are_set_listed_and_cleared(as_root, name):
    as_root("user", "put", name, KELPMQ_NEW_PASSWORD="x")
    assert as_root("permission", "set", name, "--configure", "^a", "--read", ".*").out == (
        f"permissions of user '{name}' in vhost '/' set\n")
    assert as_root("list", "permissions", "--of-user", name, "--json").json == [
        {"vhost": "/", "user": name, "configure": "^a", "write": "", "read": ".*"}]
    assert as_root("list", "permissions", "--of-user", name).out.split() == [
        "VHOST", "USER", "CONFIGURE", "WRITE", "READ", "/", name, "^a", ".*"]
    as_root("permission", "set-topic", name, "--exchange", "amq.topic", "--write", "^k")
    assert as_root("list", "topic-permissions", "--of-user", name, "--json").json == [
        {"vhost": "/", "user": name, "exchange": "amq.topic", "write": "^k", "read": ""}]
    assert "cleared" in as_root("permission", "clear-topic", name).out
    assert as_root("permission", "clear", name, "--json").json == {"deleted": True}
    assert "were not there" in as_root("permission", "clear", name).out


def test_a_bad_pattern_is_explained(as_root, name):
    as_root("user", "put", name, KELPMQ_NEW_PASSWORD="x")
    assert "write pattern '('" in as_root("permission", "set", name, "--write", "(", code=1).err


def test_logging_in_and_not(as_root, name, tmp_path):
    as_root("declare", "queue", name)
    as_root("publish", "--routing-key", name, "hello")
    assert as_root("consume", name, "--count", "1").out == "hello\n"
    anybody = {"KELPMQ_USER": "", "KELPMQ_PASSWORD_FILE": ""}
    assert "BAD_CREDENTIALS" in as_root("status", code=1, **anybody).err
    assert as_root("healthcheck", **anybody).out == "serving\n"
    by_variable = {"KELPMQ_PASSWORD": users.password_of("root"), **anybody}
    as_root("status", "--user", "root", **by_variable)
    assert "has no password" in as_root("status", "--user", "root", code=64, **anybody).err
    assert "a user and a token" in as_root("status", code=64, KELPMQ_TOKEN="t").err
    for command in (["status"], ["consume", "q"], ["perf"]):
        assert "/none" in as_root(*command, "--password-file", "/none", code=64).err


def test_an_address_may_say_who_calls(kelpmq, guarded, name):
    url = f"kelpmq://root:{users.password_of('root')}@{guarded.address}"
    nobody = {"KELPMQ_PASSWORD": "", "KELPMQ_USER": ""}
    kelpmq("declare", "queue", name, "--address", url, **nobody)
    assert kelpmq("list", "queues", "--address", url + "/%2F", "--json", **nobody).json
    by_variable = kelpmq("status", "--json", KELPMQ_ADDRESS=url).json
    assert by_variable["address"] == guarded.address
    other = kelpmq("status", "--user", "app", "--address", url, code=64, **nobody)
    assert "user 'app' has no password" in other.err
    kelpmq("delete", "queue", name, "--address", url, **nobody)


def test_an_address_wins_over_the_other_variables(kelpmq, guarded, name, tmp_path):
    url = f"kelpmq://root:{users.password_of('root')}@{guarded.address}/%2F"
    others = {"KELPMQ_USER": "other", "KELPMQ_PASSWORD": "wrong", "KELPMQ_PASSWORD_FILE": "/none", "KELPMQ_TOKEN": "t",
              "KELPMQ_VHOST": "other", "KELPMQ_TLS": "1", "KELPMQ_TLS_CA": "/none"}
    kelpmq("declare", "queue", name, "--address", url, **others)
    kelpmq("publish", "-r", name, "x", KELPMQ_ADDRESS=url, **others)
    assert kelpmq("consume", name, "--count", "1", "--address", url, **others).out == "x\n"
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    wrong = kelpmq("status", "--address", url, "--password-file", str(secret), code=1, **others)
    assert "BAD_CREDENTIALS" in wrong.err
    assert "VHOST_NOT_FOUND" in kelpmq("list", "queues", "--address", url, "--vhost", "nope", code=1, **others).err
    kelpmq("delete", "queue", name, "--address", url, **others)


def test_an_option_wins_over_the_variable_of_another_login(as_root, guarded, tmp_path):
    # Both of one source contradict each other, of two sources they do not.
    as_root("status", "--user", "root", KELPMQ_TOKEN="t")
    token = tmp_path / "token"
    token.write_text("t\n")
    assert "BAD_CREDENTIALS" in as_root("status", "--token-file", str(token), code=1).err
    assert "a user and a token" in as_root("status", "--user", "root", "--token-file", str(token), code=64).err


def test_a_user_without_tags_sees_the_status(as_root, name):
    as_root("user", "put", name, KELPMQ_NEW_PASSWORD="x")
    as_them = {"KELPMQ_USER": name, "KELPMQ_PASSWORD": "x", "KELPMQ_PASSWORD_FILE": ""}
    assert as_root("status", "--json", **as_them).json["vhosts"] == []
    as_root("permission", "set", name, "--read", ".*")
    seen = as_root("status", "--json", **as_them).json
    assert [vhost["name"] for vhost in seen["vhosts"]] == ["/"]


def test_who_does_not_log_in_is_told_how(as_root):
    anybody = {"KELPMQ_USER": "", "KELPMQ_PASSWORD_FILE": ""}
    assert "--user NAME" in as_root("status", code=1, **anybody).err
    wrong = {"KELPMQ_PASSWORD_FILE": "", "KELPMQ_PASSWORD": "wrong"}
    assert "check user and password" in as_root("status", code=1, **wrong).err


def test_perf_logs_in(as_root):
    assert as_root("perf", "--seconds", "0.2", "--json").json


def test_perf_tells_who_may_not_declare_what_to_do(as_root, name):
    as_root("user", "put", name, KELPMQ_NEW_PASSWORD="secret")
    as_root("permission", "set", name, "--write", ".*", "--read", ".*")
    as_root("declare", "queue", name)
    as_them = {"KELPMQ_USER": name, "KELPMQ_PASSWORD": "secret", "KELPMQ_PASSWORD_FILE": ""}
    refused = as_root("perf", "--messages", "10", code=1, **as_them)
    assert "ACCESS_REFUSED" in refused.err
    assert "--use-queue NAME" in refused.err
    assert as_root("perf", "--messages", "10", "--use-queue", name, "--json", **as_them).json["lost"] == 0


def test_a_hash_takes_the_place_of_a_password(as_root, kelpmq, name):
    made = kelpmq("hash-password", stdin="secret\n").out.strip()
    assert made.startswith("$argon2id$") and made != kelpmq("hash-password", stdin="secret\n").out.strip()
    as_root("user", "put", name, "--password-hash", made)
    as_root("permission", "set", name)
    as_root("list", "queues", KELPMQ_USER=name, KELPMQ_PASSWORD_FILE="", KELPMQ_PASSWORD="secret")
    assert "no password" in kelpmq("hash-password", code=64).err
    assert "needs a password" in as_root("user", "put", name, code=64).err


def test_a_token_is_for_the_client_and_its_entry_for_the_server(kelpmq):
    made = kelpmq("make-token", "app", "--lifetime", "1h")
    entry = json.loads(made.err)
    assert entry["user"] == "app" and entry["expires"].endswith("Z")
    assert len(made.out.strip()) >= 43 and made.out.strip() not in made.err


def test_definitions_come_in_and_go_out(own_broker, kelpmq, tmp_path):
    command_line = type(kelpmq)(own_broker.address)
    file = tmp_path / "definitions.json"
    file.write_text(json.dumps(RABBITMQ))
    checked = command_line("definitions", "import", str(file), "--validate-only")
    assert checked.out == "1 would be made or changed, 0 there already\n"
    assert "kept but not applied: global_parameters" in checked.err
    assert command_line("definitions", "import", "--json", stdin=json.dumps(RABBITMQ)).json == {
        "created_count": 1, "unchanged_count": 0, "conflicts": [], "ignored_sections": ["global_parameters"]}
    exported = json.loads(command_line("definitions", "export").out)
    assert [queue["name"] for queue in exported["queues"]] == ["from-a-file"]
    assert exported["global_parameters"] == RABBITMQ["global_parameters"]
    assert "vhost" not in json.loads(command_line("definitions", "export", "--vhost", "/").out)["queues"][0]
    other = {"queues": [{"name": "from-a-file", "vhost": "/", "durable": False}]}
    conflict = command_line("definitions", "import", stdin=json.dumps(other))
    assert "queue 'from-a-file'" in conflict.err and "left as it is" in conflict.err
    assert "not valid JSON" in command_line("definitions", "import", code=1, stdin="{").err
    assert "/none" in command_line("definitions", "import", "/none", code=64).err
