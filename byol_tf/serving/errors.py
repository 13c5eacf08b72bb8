"""Errors of requests, with their codes in HTTP and gRPC."""


class ServingError(Exception):
    """Raised if the model failed; subclasses are more specific.

    Attributes:
        http: status of the REST response.
        grpc: name of the gRPC status.
        headers: headers of the REST response, as pairs.
    """

    http, grpc = 500, "INTERNAL"
    headers = ()


class BadRequest(ServingError):
    """Raised if a request is invalid or does not fit the signature."""

    http, grpc = 400, "INVALID_ARGUMENT"


class Malformed(BadRequest):
    """Raised if the end of a request is unclear; nothing after it is read."""

    headers = (("Connection", "close"),)


class NotFound(ServingError):
    """Raised if no such model or version is served."""

    http, grpc = 404, "NOT_FOUND"


class NotAllowed(ServingError):
    """Raised for a method that its path does not have."""

    http, grpc = 405, "UNIMPLEMENTED"


class TooSlow(ServingError):
    """Raised if a body did not arrive in time."""

    http, grpc = 408, "DEADLINE_EXCEEDED"
    headers = (("Connection", "close"),)


class TooLarge(ServingError):
    """Raised if a body is larger than the limit."""

    http, grpc = 413, "RESOURCE_EXHAUSTED"
    headers = (("Connection", "close"),)


class Overloaded(ServingError):
    """Raised if too many requests are in progress."""

    http, grpc = 503, "RESOURCE_EXHAUSTED"
    headers = (("Retry-After", "1"),)


class TimedOut(ServingError):
    """Raised if a request was not answered in time."""

    http, grpc = 504, "DEADLINE_EXCEEDED"
