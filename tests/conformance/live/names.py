"""What the random cases are about."""

QUEUES = ("q1", "q2", "q3")
EXCHANGES = {"xd": "direct", "xt": "topic", "xf": "fanout", "xh": "headers"}
KEYS = ("a", "b", "a.b", "a.b.c", "", "q1")
PATTERNS = ("#", "*", "a.*", "*.b", "a.#", "#.b", "a.b", "a", "*.*.c", "")
CHANNELS = ("a", "a", "b")
