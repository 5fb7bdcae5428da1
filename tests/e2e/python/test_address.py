import kelpmq
import pytest
from kelpmq import Address, Tls, parse_address


@pytest.mark.parametrize("text, target", [
    ("localhost", "localhost:50672"), ("localhost:1", "localhost:1"), ("[::1]", "[::1]:50672"),
    ("[::1]:2", "[::1]:2"), ("unix:/run/x", "unix:/run/x"), ("kelpmq://h", "h:50672"),
    ("kelpmq://h:3", "h:3"), ("kelpmq://[::1]:4", "[::1]:4"), ("kelpmq://", "127.0.0.1:50672"),
    ("kelpmq+unix:///run/x", "unix:/run/x"),
])
def test_the_target(text, target):
    assert parse_address(text).target == target


@pytest.mark.parametrize("text, vhost", [
    ("kelpmq://h", ""), ("kelpmq://h/", ""), ("kelpmq://h/a", "a"), ("kelpmq://h//", "/"),
    ("kelpmq://h/%2F", "/"), ("kelpmq+unix:///x?vhost=%2F", "/"), ("kelpmq://h/a%2Fb", "a/b"),
])
def test_the_vhost(text, vhost):
    found = parse_address(text)
    assert found.vhost == vhost
    assert parse_address(found.url()) == found


def test_user_and_password_are_decoded_and_sent_as_basic():
    found = parse_address("kelpmq://us%40er:p%3Aw@h/v")
    assert (found.user, found.password) == ("us@er", "p:w")
    assert found.metadata() == (("authorization", "Basic dXNAZXI6cDp3"),)
    assert "p:w" not in repr(found) and "p%3Aw" not in found.url()


def test_a_token_is_sent_as_bearer():
    assert parse_address("h", token="t").metadata() == (("authorization", "Bearer t"),)


def test_tls_of_a_url_and_of_an_argument():
    assert parse_address("kelpmqs://h").tls == Tls()
    assert parse_address("h", tls=True).tls == Tls()
    assert parse_address("kelpmqs://h", tls=Tls(ca="ca.pem")).tls == Tls(ca="ca.pem")
    assert parse_address("kelpmqs://h", tls=False).tls is None


def test_arguments_count_more_than_the_url():
    found = parse_address("kelpmq://a:b@h/v", user="c", password="d", vhost="w")
    assert (found.user, found.password, found.vhost) == ("c", "d", "w")


def test_without_an_address_the_environment_or_the_default_holds(monkeypatch):
    monkeypatch.delenv("KELPMQ_ADDRESS", raising=False)
    assert parse_address() == Address()
    monkeypatch.setenv("KELPMQ_ADDRESS", "h:1")
    assert parse_address().target == "h:1"


@pytest.mark.parametrize("text", [
    "amqp://h", "kelpmq://h:port", "kelpmq://h:99999", "a:b:c", "kelpmq+unix://h/x", "kelpmq://h?x=1"])
def test_what_is_no_address(text):
    with pytest.raises(ValueError):
        parse_address(text)


def test_an_error_does_not_show_the_password():
    with pytest.raises(ValueError) as caught:
        parse_address("amqp://user:secret@h")
    assert "secret" not in str(caught.value)


def test_an_error_can_be_pickled():
    import pickle

    error = kelpmq.NotFound("no queue 'a'", reason="QUEUE_NOT_FOUND", amqp_code=404)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.amqp_code) == (kelpmq.NotFound, str(error), 404)
