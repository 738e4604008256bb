"""The APIs: from a request's body to the good answer, whole or as a stream."""
