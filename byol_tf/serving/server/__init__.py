"""A server of one exported model, by REST and gRPC as TensorFlow Serving."""
