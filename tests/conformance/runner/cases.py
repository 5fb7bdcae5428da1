"""The recorded cases, and the list of rules that are skipped with a reason."""
import dataclasses
import fnmatch
import json
import pathlib

# Random cases name no rules: they belong to the chapter of their feature...
_CHAPTER_OF_FEATURE = {
    "consume": "CONS", "dlx": "DLX", "e2e": "E2E", "headers": "HDR", "lifecycle": "QDEL",
    "maxlen": "LEN", "priority": "PRIO", "requeue": "NACK", "topic": "TOPIC", "tx": "TX",
}
# ... and to those of what they use besides.
_CHAPTER_OF_ARGUMENT = {
    ("queue.declare", "x-message-ttl"): "TTL",
    ("queue.declare", "x-max-length"): "LEN",
    ("queue.declare", "x-max-length-bytes"): "LEN",
    ("queue.declare", "x-max-priority"): "PRIO",
    ("queue.declare", "x-dead-letter-exchange"): "DLX",
    ("queue.declare", "x-single-active-consumer"): "SAC",
    ("exchange.declare", "alternate-exchange"): "AE",
    ("basic.consume", "x-priority"): "PRIOC",
}
_CHAPTER_OF_HEADER = {"CC": "CC", "BCC": "CC"}
_TIMED_ARGUMENTS = {"x-message-ttl", "x-expires"}
# Stands for a rule in skips.tsv: the cases that publish with expiration "".
EMPTY_EXPIRATION = "TTL-05-EMPTY"
# Ops that change or stop what other cases run on.
_SERVER_WIDE_OPS = ("broker.", "user.", "vhost.", "permissions.", "topic_permissions.")


@dataclasses.dataclass(frozen=True)
class Case:
    id: str
    feature: str
    rules: tuple[str, ...]  # "QLIFE-03", or "QLIFE-*" where only the chapter is known.
    note: str               # How RabbitMQ 4.x differs; empty when it does not.
    ops: list
    observed: list

    @property
    def alone(self) -> bool:
        """Must not run beside other cases: it watches the clock, or touches all vhosts."""
        return any(
            op["op"].startswith(_SERVER_WIDE_OPS)
            or _TIMED_ARGUMENTS & (op.get("arguments") or {}).keys()
            or "expiration" in op.get("properties", {})
            for op in self.ops)


def _implied_rules(feature: str, ops: list) -> tuple[str, ...]:
    chapters = {_CHAPTER_OF_FEATURE.get(feature, feature.upper())}
    for op in ops:
        for argument in op.get("arguments") or {}:
            chapters.add(_CHAPTER_OF_ARGUMENT.get((op["op"], argument)))
        properties = op.get("properties", {})
        for header in properties.get("headers", {}):
            chapters.add(_CHAPTER_OF_HEADER.get(header))
        if "expiration" in properties:
            chapters.add("TTL")
    return tuple(f"{chapter}-*" for chapter in sorted(filter(None, chapters)))


def _beyond_the_api(ops: list) -> tuple[str, ...]:
    """What the API has no words for: a property that is there, but empty."""
    empty = any(op.get("properties", {}).get("expiration") == "" for op in ops)
    return (EMPTY_EXPIRATION,) if empty else ()


def parse(line: str) -> Case:
    return parse_case(json.loads(line))


def parse_case(case: dict) -> Case:
    return Case(
        id=case["id"], feature=case["feature"],
        rules=(tuple(case["rules"]) or _implied_rules(case["feature"], case["ops"]))
        + _beyond_the_api(case["ops"]),
        note=case.get("note", "") if case.get("differs_4x") else "",
        ops=case["ops"], observed=case["observed"])


def load(path: pathlib.Path) -> list[Case]:
    with open(path, encoding="utf-8") as lines:
        return [parse(line) for line in lines if line.strip()]


class Skips:
    """Lines of "RULE <tab> reason"; RULE is an id, or PREFIX-* for a chapter."""

    def __init__(self, lines):
        self.reasons: dict[str, str] = {}
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            rule, _, reason = line.rstrip("\n").partition("\t")
            if not reason.strip():
                raise ValueError(f"skip list, line {number}: want RULE <tab> reason")
            self.reasons[rule] = reason.strip()

    @classmethod
    def load(cls, path: pathlib.Path) -> "Skips":
        with open(path, encoding="utf-8") as lines:
            return cls(lines)

    def entry_for(self, rules) -> str | None:
        """The first entry that covers one of `rules`."""
        for rule in rules:
            for entry in self.reasons:
                if fnmatch.fnmatchcase(rule, entry):
                    return entry
        return None
