"""What can go wrong with an op, as the cases speak of it."""
import grpc

DIRECT_REPLY_TO = "amq.rabbitmq.reply-to"
CLOSED = {"error": {"scope": "closed", "code": 0}}
# Reply codes that end the whole connection in AMQP.
_CONNECTION_CODES = {320, 503, 530, 540, 541}


class AmqpError(Exception):
    """An error with an AMQP reply code."""

    def __init__(self, code: int, text: str, reason: str = ""):
        super().__init__(f"{code} {reason} {text}")
        self.code, self.text, self.reason = code, text, reason

    @classmethod
    def of(cls, error: grpc.RpcError) -> "AmqpError":
        """Of a failed call. Raises `error` again if the broker gave no reply code."""
        trailers = dict(error.trailing_metadata() or ())
        if "kelpmq-amqp-code" not in trailers:
            raise error
        return cls(int(trailers["kelpmq-amqp-code"]), error.details(), trailers["kelpmq-reason"])

    @classmethod
    def of_operation(cls, error) -> "AmqpError":
        """Of an OperationError in a stream's event."""
        return cls(error.amqp_code, error.message, error.reason)

    def observation(self, scope: str | None = None) -> dict:
        scope = scope or ("connection" if self.code in _CONNECTION_CODES else "channel")
        return {"error": {"scope": scope, "code": self.code, "text": self.text}}


class Closed(Exception):
    """The channel or connection is not open any more."""


class NotMappable(Exception):
    """The API has nothing like this op; `rule` is what it belongs to."""

    def __init__(self, rule: str):
        super().__init__(f"not mappable: {rule}")
        self.rule = rule
