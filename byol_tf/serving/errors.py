"""What a request can be refused for, with its codes in HTTP and gRPC."""


class ServingError(Exception):
    """The model failed; subclasses say what else it was.

    Attributes:
        http: status of the answer by REST.
        grpc: name of the status of the answer by gRPC.
    """

    http = 500
    grpc = "INTERNAL"


class BadRequest(ServingError):
    """It cannot be understood or does not fit the signature."""

    http = 400
    grpc = "INVALID_ARGUMENT"


class NotFound(ServingError):
    """No such model or version is served."""

    http = 404
    grpc = "NOT_FOUND"


class TooLarge(ServingError):
    """Its body is larger than the limit."""

    http = 413
    grpc = "RESOURCE_EXHAUSTED"


class Overloaded(ServingError):
    """As many requests are in progress as may be."""

    http = 503
    grpc = "RESOURCE_EXHAUSTED"


class TimedOut(ServingError):
    """It was not answered in time."""

    http = 504
    grpc = "DEADLINE_EXCEEDED"
