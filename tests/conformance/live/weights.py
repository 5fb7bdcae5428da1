"""How often the generator chooses each kind of op."""

WEIGHTS = {
    "publish": 14, "publish_some": 10, "get": 18, "settle": 40, "settle_all": 2, "recover": 1,
    "consume": 8, "collect": 12, "cancel": 2, "qos": 2, "confirm": 1,
    "declare": 2, "declare_passive": 1, "declare_exchange": 3, "bind": 5, "bind_exchange": 2,
    "purge": 1, "delete": 1, "delete_exchange": 1, "reopen": 4,
}
