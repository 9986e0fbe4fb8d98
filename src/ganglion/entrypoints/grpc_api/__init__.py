"""gRPC without grpcio: the server's side of HTTP/2 and gRPC framing, and the Open Inference Protocol on top of it."""
