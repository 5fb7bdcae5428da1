"""Is the recorder right? It has to record of base cases what the list says of them."""
import concurrent.futures
import json

from runner import cases, compare

# Other vhosts and users, state of the whole broker, what the recorder's AMQP client has no types for.
_OTHER_OPS = ("tx.", "broker.", "user.", "vhost.", "permissions.", "topic_permissions.", "policy.", "limit.")
_OTHER_FEATURES = ("auth", "durability", "plugins", "quorum", "rpc")
_OTHER_WORDS = ('{"$', "amq.gen", "amq.ctag", "x-message-ttl", "x-expires", '"expiration"')


def comparable(case: dict) -> bool:
    text = json.dumps([case["ops"], case["observed"]])
    return (case["feature"] not in _OTHER_FEATURES
            and not any(op["op"].startswith(_OTHER_OPS) for op in case["ops"])
            and not any(word in text for word in _OTHER_WORDS))


def difference(listed: dict, recorded: cases.Case) -> str | None:
    """Where a fresh recording is another than the listed one."""
    if len(recorded.ops) != len(listed["ops"]):
        return "an op had no meaning"
    # Both are of RabbitMQ 3.10: no notes about later ones.
    comparison = compare.Comparison(cases.parse_case({**listed, "differs_4x": False}))
    for op, expected, actual in zip(listed["ops"], listed["observed"], recorded.observed):
        if found := comparison.difference(expected, actual):
            return f"{op['op']}{found}"
    return None


def check(path, workspaces) -> tuple[int, int]:
    """How many were recorded alike, and how many not."""
    with open(path, encoding="utf-8") as lines:
        listed = [case for case in map(json.loads, lines) if comparable(case)]

    def one(case):
        workspace = workspaces.get()
        try:
            return difference(case, workspace.record(case, times=1))
        finally:
            workspaces.put(workspace)

    with concurrent.futures.ThreadPoolExecutor(workspaces.qsize()) as pool:
        differences = list(pool.map(one, listed))
    for case, found in zip(listed, differences):
        if found:
            print(f"FAIL {case['id']}: {found}", flush=True)
    failed = sum(map(bool, differences))
    return len(listed) - failed, failed
