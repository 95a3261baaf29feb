"""The gRPC door: Conductor's services beside the routes, answered by the same functions; needs the extra ``grpc``."""
