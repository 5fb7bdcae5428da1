"""Compares what a broker did with what RabbitMQ did."""
import re

from .cases import Case

_SERVER_MADE = re.compile(r"amq\.(gen|ctag)-.+", re.DOTALL)
_TIME = "<time>"
_COUNT_HEADERS = ("x-delivery-count", "x-acquired-count")
_EXCEPTION_503 = {"error": {"scope": "connection", "code": 503}}


class Comparison:
    """Compares the observations of one case, in their order."""

    def __init__(self, case: Case):
        self._note = case.note
        self._names: dict[str, str] = {}
        self._counts = {"gen": 0, "ctag": 0}

    def difference(self, expected: dict, actual: dict) -> str | None:
        """Where and how the first difference is; None if there is none."""
        expected = self._as_in_4x(_normal(expected))
        actual = self._rename(_normal(actual))
        if "counts deliveries" in self._note:
            for message in _messages(expected):
                _count_from_header(message)
        for message in _messages(expected) + _messages(actual):
            self._leave_out_headers(message)
        _drop_unrecorded_counts(expected, actual)
        return _first_difference("", _normal(expected), _normal(actual))

    def _rename(self, content):
        """Numbers the names that the server made by first sight."""
        if isinstance(content, dict):
            return {key: self._rename(item) for key, item in content.items()}
        if isinstance(content, list):
            return [self._rename(item) for item in content]
        match = _SERVER_MADE.fullmatch(content) if isinstance(content, str) else None
        if match and content not in self._names:
            kind = match.group(1)
            self._counts[kind] += 1
            self._names[content] = f"<amq.{kind}#{self._counts[kind]}>"
        return self._names.get(content, content) if match else content

    def _as_in_4x(self, expected):
        if "406 in place of" in self._note and "503" in self._note:
            if expected == _EXCEPTION_503:
                return {"error": {"scope": "channel", "code": 406}}
            if expected.get("code") == 503:
                return {**expected, "code": 406}
        return expected

    def _leave_out_headers(self, message: dict) -> None:
        """Those that 4.x sets otherwise."""
        headers = message.get("properties", {}).get("headers", {})
        for name in list(headers):
            if ("x-last-death" in self._note and name.startswith("x-last-death-")
                    or "counts deliveries" in self._note and name in _COUNT_HEADERS):
                del headers[name]


def _messages(observation: dict) -> list[dict]:
    found = list(observation.get("messages", [])) + list(observation.get("returned", []))
    if observation.get("message"):
        found.append(observation["message"])
    for consumer in observation.get("consumers", {}).values():
        found += consumer["messages"]
    return found


def _count_from_header(message: dict) -> None:
    count = message.get("properties", {}).get("headers", {}).get("x-delivery-count")
    if count is not None:
        message["delivery_count"] = count


def _drop_unrecorded_counts(expected: dict, actual: dict) -> None:
    recorded = _messages(expected)
    for index, message in enumerate(_messages(actual)):
        if index >= len(recorded) or "delivery_count" not in recorded[index]:
            message.pop("delivery_count", None)


def _normal(content):
    """A copy in which absent properties and those that mean the same are alike."""
    if isinstance(content, list):
        return [_normal(item) for item in content]
    if not isinstance(content, dict):
        return content
    copy = {key: _normal(item) for key, item in content.items()}
    if "scope" in copy and "code" in copy:
        copy.pop("text", None)
        return copy
    properties = copy.get("properties")
    if "body" in copy and isinstance(properties, dict):
        timestamp = properties.get("timestamp")
        if isinstance(timestamp, dict):
            properties["timestamp"] = timestamp["$timestamp"]
        for name in [n for n, value in properties.items() if value in (0, "", {})]:
            del properties[name]
        if not properties:
            del copy["properties"]
    return copy


def _first_difference(path: str, expected, actual) -> str | None:
    if expected == _TIME:
        return None
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted(expected.keys() | actual.keys()):
            if key not in actual:
                return f"{path}.{key}: missing"
            if key not in expected:
                return f"{path}.{key}: not expected"
            if found := _first_difference(f"{path}.{key}", expected[key], actual[key]):
                return found
        return None
    if isinstance(expected, list) and isinstance(actual, list):
        for index, (one, other) in enumerate(zip(expected, actual)):
            if found := _first_difference(f"{path}[{index}]", one, other):
                return found
        if len(expected) != len(actual):
            return f"{path}: {len(expected)} expected, {len(actual)} came"
        return None
    # True == 1 == 1.0 in Python, but not in a message.
    if type(expected) is not type(actual) or expected != actual:
        return f"{path}: {expected!r} expected, {actual!r} came"
    return None
