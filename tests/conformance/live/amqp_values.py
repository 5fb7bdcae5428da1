"""What came over AMQP, in the words of the cases."""
import base64
import datetime
import decimal


def from_value(value):
    if isinstance(value, dict):
        return {name: from_value(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [from_value(item) for item in value]
    if isinstance(value, datetime.datetime):
        return {"$timestamp": int(value.replace(tzinfo=datetime.timezone.utc).timestamp())}
    if isinstance(value, decimal.Decimal):
        _, digits, exponent = value.as_tuple()
        return {"$decimal": [-exponent, int("".join(map(str, digits)))]}
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode()}
    return value


def from_message(message, exchange: str, routing_key: str) -> dict:
    body = message.body
    observation = {"body": body if isinstance(body, str) else bytes(body).decode(),
                   "exchange": exchange, "routing_key": routing_key}
    properties = {name: from_value(value) for name, value in message.properties.items()}
    if "application_headers" in properties:
        properties["headers"] = properties.pop("application_headers")
        for death in properties["headers"].get("x-death", []):
            death["time"] = "<time>"
    if properties:
        observation["properties"] = properties
    return observation


def from_delivery(message) -> dict:
    info = message.delivery_info
    return {**from_message(message, info["exchange"], info["routing_key"]),
            "redelivered": bool(info["redelivered"]), "tag": info["delivery_tag"]}
