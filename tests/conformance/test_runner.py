"""The runner must notice what is wrong: cases are falsified, and have to fail."""
import copy
import dataclasses
import json
import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from runner import cases, compare, replay  # noqa: E402
from runner.errors import NotMappable  # noqa: E402

ALL = {case.id: case for case in cases.load(HERE / "cases.jsonl")}


class Recording:
    """An adapter to a broker that does exactly what was recorded."""

    def __init__(self, case):
        self._observed = iter(copy.deepcopy(case.observed))

    def run(self, op):
        return next(self._observed)


def passes(case, recording=None):
    return not replay.replay(case, Recording(recording or case)).failure


def places(content, wanted, path=()):
    """Yields the path of every dict that has the key `wanted`."""
    if isinstance(content, dict):
        if wanted in content:
            yield path
        content = content.items()
    elif isinstance(content, list):
        content = enumerate(content)
    else:
        return
    for key, item in content:
        yield from places(item, wanted, (*path, key))


def falsified(case, key, change):
    """Copies of `case`, each with one `key` of its observations changed."""
    for path in places(case.observed, key):
        observed = copy.deepcopy(case.observed)
        place = observed
        for step in path:
            place = place[step]
        original = copy.deepcopy(place[key])
        change(place, key)
        if place.get(key) != original:
            yield dataclasses.replace(case, observed=observed)


def altered(place, key):
    value = place[key]
    place[key] = not value if isinstance(value, bool) else value + (
        1 if isinstance(value, int) else "x")


def dropped(place, key):
    place[key] = place[key][1:]


def swapped(place, key):
    place[key] = place[key][::-1]


def doubled(place, key):
    place[key] = place[key] + place[key][-1:]


def test_a_broker_that_does_as_recorded_passes():
    for case in ALL.values():
        if "in place of" in case.note or "counts deliveries" in case.note:
            continue  # 4.x differs, so here the recording itself has to fail.
        assert passes(case), replay.replay(case, Recording(case)).failure


@pytest.mark.parametrize("key, change", [
    ("body", altered), ("exchange", altered), ("routing_key", altered), ("redelivered", altered),
    ("tag", altered), ("message_count", altered), ("consumer_count", altered), ("code", altered),
    ("scope", altered), ("exists", altered), ("open", altered), ("confirm", altered),
    ("queue", altered), ("reply_code", altered), ("priority", altered), ("count", altered),
    ("messages", dropped), ("messages", swapped), ("messages", doubled), ("returned", dropped),
])
def test_a_falsified_case_fails(key, change):
    tried = 0
    for case in ALL.values():
        for wrong in falsified(case, key, change):
            assert not passes(wrong, case), f"{case.id} passed with a wrong {key}"
            tried += 1
            break
    assert tried > 0, f"no case has a {key} to falsify"


@pytest.mark.parametrize("recorded, came", [
    (1, True), (1, 1.0), (None, 0), ("1", 1), ([1, 2], [2, 1]), ({"$bytes": "MQ=="}, "1"),
    ({"a": 1}, {"a": 1, "b": 2}), ({"a": 1}, {}), ({"$timestamp": 1}, 1)])
def test_header_values_of_other_types_differ(recorded, came):
    def observation(value):
        return {"message": {"body": "", "properties": {"headers": {"h": value}}}}

    comparison = compare.Comparison(ALL["properties-roundtrip"])
    assert comparison.difference(observation(recorded), observation(came))


def test_absent_and_default_properties_are_equal():
    comparison = compare.Comparison(ALL["properties-roundtrip"])
    assert comparison.difference(
        {"message": {"body": "a", "properties": {"priority": 0, "type": "", "headers": {}}}},
        {"message": {"body": "a"}}) is None


def test_names_made_by_the_server_are_numbered_by_first_sight():
    comparison = compare.Comparison(ALL["properties-roundtrip"])
    assert comparison.difference({"queue": "<amq.gen#1>"}, {"queue": "amq.gen-abc"}) is None
    assert comparison.difference({"queue": "<amq.gen#2>"}, {"queue": "amq.gen-def"}) is None
    assert comparison.difference({"queue": "<amq.gen#1>"}, {"queue": "amq.gen-abc"}) is None
    assert comparison.difference({"queue": "<amq.gen#1>"}, {"queue": "amq.gen-def"})


def test_texts_of_errors_are_not_compared():
    comparison = compare.Comparison(ALL["properties-roundtrip"])
    error = {"scope": "channel", "code": 404}
    assert comparison.difference(
        {"error": {**error, "text": "one"}}, {"error": {**error, "text": "other"}}) is None


def test_4x_rules_follow_the_note():
    comparison = compare.Comparison(dataclasses.replace(
        ALL["exdecl-unknown-type"], note="4.x: channel error 406 in place of connection error 503"))
    recorded = {"error": {"scope": "connection", "code": 503, "text": "t"}}
    assert comparison.difference(recorded, {"error": {"scope": "channel", "code": 406}}) is None
    assert comparison.difference(recorded, recorded)

    def got(headers, **fields):
        return {"message": {"body": "", "properties": {"headers": headers}, **fields}}

    comparison = compare.Comparison(dataclasses.replace(
        ALL["exdecl-unknown-type"], note="4.x counts deliveries in another way"))
    assert comparison.difference(got({"x-delivery-count": 2}), got({}, delivery_count=2)) is None
    assert comparison.difference(got({"x-delivery-count": 2}), got({}, delivery_count=1))
    comparison = compare.Comparison(dataclasses.replace(
        ALL["exdecl-unknown-type"], note="4.x also sets x-last-death-reason/-queue/-exchange"))
    assert comparison.difference(got({"a": 1}), got({"a": 1, "x-last-death-queue": "q"})) is None


def test_an_op_that_raises_fails_its_case():
    class Broken:
        def run(self, op):
            raise TimeoutError("no answer")

    assert "no answer" in replay.replay(ALL["large-body"], Broken()).failure


def test_an_unmappable_op_is_not_a_pass():
    class Without:
        def run(self, op):
            raise NotMappable("TX-*")

    result = replay.replay(ALL["large-body"], Without())
    assert result.unmappable == "TX-*" and not result.failure


def test_skips_need_a_reason_and_match_by_rule():
    skips = cases.Skips(["# comment\n", "TX-*\tno transactions\n", "HDR-06\tas 4.x\n"])
    assert skips.entry_for(("TX-02",)) == "TX-*"
    assert skips.entry_for(("HDR-06",)) == "HDR-06"
    assert skips.entry_for(("HDR-01", "QDECL-01")) is None
    with pytest.raises(ValueError):
        cases.Skips(["HDR-06\n"])


# Against a running broker, as a user runs it.

SAMPLE = ["topic-basic", "ack-multiple-already-acked-below", "exclusive-other-connection",
          "consume-autoack"]


def run_cases(broker, tmp_path, chosen, *arguments, skips=""):
    """Exit code and output lines of run_cases on (falsified) cases."""
    by_id = {}
    for line in (HERE / "cases.jsonl").read_text().splitlines():
        raw = json.loads(line)
        by_id[raw["id"]] = raw
    lines = [json.dumps({**by_id[case.id], "observed": case.observed}) for case in chosen]
    (tmp_path / "cases.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "skips.tsv").write_text(skips)
    done = subprocess.run(
        [sys.executable, HERE / "run_cases", "--cases", tmp_path / "cases.jsonl", "--skips",
         tmp_path / "skips.tsv", "--address", broker.address, *arguments],
        capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout.splitlines()


def test_true_cases_pass_over_the_wire(broker, tmp_path):
    code, lines = run_cases(broker, tmp_path, [ALL[i] for i in SAMPLE])
    assert (code, lines) == (0, ["4 passed, 0 failed, 0 skipped"])


def test_falsified_cases_fail_over_the_wire(broker, tmp_path):
    wrong = [next(falsified(ALL["topic-basic"], "body", altered)),
             next(falsified(ALL["exclusive-other-connection"], "code", altered)),
             next(falsified(ALL["consume-autoack"], "messages", swapped)),
             next(falsified(ALL["ack-multiple-already-acked-below"], "open", altered))]
    code, lines = run_cases(broker, tmp_path, [*wrong, ALL["large-body"]])
    assert code == 1
    assert lines[-1] == "1 passed, 4 failed, 0 skipped"
    for case in wrong:
        assert any(re.match(rf"FAIL {case.id} .*op \d+ ", line) for line in lines)


def test_a_delivery_too_few_fails_over_the_wire(broker, tmp_path):
    case = next(falsified(ALL["consume-autoack"], "messages", doubled))
    code, lines = run_cases(broker, tmp_path, [case])
    assert code == 1 and lines[-1] == "0 passed, 1 failed, 0 skipped"


def test_a_skip_that_is_not_listed_fails(broker, tmp_path):
    case = ALL["tx-commit"]
    code, lines = run_cases(broker, tmp_path, [case])
    assert code == 1 and lines[-1] == "0 passed, 1 failed, 0 skipped"
    assert "not on the list of skips" in lines[0]
    code, lines = run_cases(broker, tmp_path, [case], skips="TX-*\tno transactions\n")
    assert (code, lines) == (0, ["0 passed, 0 failed, 1 skipped"])


def test_check_skips_finds_entries_that_are_not_needed(broker, tmp_path):
    chosen = [ALL["large-body"], ALL["tx-commit"]]
    code, lines = run_cases(broker, tmp_path, chosen, "--check-skips",
                            skips="TX-*\tno transactions\nMSG-03\tno reason at all\n")
    assert code == 1 and lines[-1] == "1 passed, 1 failed, 0 skipped"
    assert any("MSG-03" in line and "pass" in line for line in lines)
