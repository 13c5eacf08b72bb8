"""What a request can be refused for, with its codes in HTTP and gRPC."""


class ServingError(Exception):
    """The model failed; subclasses say what else it was.

    Attributes:
        http: status of the answer by REST.
        grpc: name of the status of the answer by gRPC.
    """

    http, grpc = 500, "INTERNAL"


class BadRequest(ServingError):
    """It cannot be understood or does not fit the signature."""

    http, grpc = 400, "INVALID_ARGUMENT"


class NotFound(ServingError):
    """No such model or version is served."""

    http, grpc = 404, "NOT_FOUND"


class TooLarge(ServingError):
    """Its body is larger than the limit."""

    http, grpc = 413, "RESOURCE_EXHAUSTED"


class Overloaded(ServingError):
    """As many requests are in progress as may be."""

    http, grpc = 503, "RESOURCE_EXHAUSTED"


class TimedOut(ServingError):
    """It was not answered in time."""

    http, grpc = 504, "DEADLINE_EXCEEDED"
