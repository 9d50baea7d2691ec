"""Alert rules of Prometheus as authors have them: read, held against runbooks, and made into first runbooks."""
