"""What a request can be refused for, with its codes in HTTP and gRPC."""


class ServingError(Exception):
    """The model failed; subclasses say what else it was.

    Attributes:
        http: status of the answer by REST.
        grpc: name of the status of the answer by gRPC.
        headers: of the answer by REST, as pairs.
    """

    http, grpc = 500, "INTERNAL"
    headers = ()


class BadRequest(ServingError):
    """It cannot be understood or does not fit the signature."""

    http, grpc = 400, "INVALID_ARGUMENT"


class Malformed(BadRequest):
    """It is not clear where it ends, so that nothing after it is read."""

    headers = (("Connection", "close"),)


class NotFound(ServingError):
    """No such model or version is served."""

    http, grpc = 404, "NOT_FOUND"


class NotAllowed(ServingError):
    """Its method is not the one of its path."""

    http, grpc = 405, "UNIMPLEMENTED"


class TooSlow(ServingError):
    """Its body did not come in time."""

    http, grpc = 408, "DEADLINE_EXCEEDED"
    headers = (("Connection", "close"),)


class TooLarge(ServingError):
    """Its body is larger than the limit."""

    http, grpc = 413, "RESOURCE_EXHAUSTED"
    headers = (("Connection", "close"),)


class Overloaded(ServingError):
    """As many requests are in progress as may be."""

    http, grpc = 503, "RESOURCE_EXHAUSTED"
    headers = (("Retry-After", "1"),)


class TimedOut(ServingError):
    """It was not answered in time."""

    http, grpc = 504, "DEADLINE_EXCEEDED"
