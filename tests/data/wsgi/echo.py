"""The smallest service that gunicorn can serve: it says which release and worker answered."""

import os


def app(environ, start_response):
    """Answer anything; the ready path says no when the settings say so."""
    broken = environ["PATH_INFO"] == "/ready" and os.environ.get("BROKEN") == "yes"
    start_response("503 Service Unavailable" if broken else "200 OK", [("Content-Type", "text/plain")])
    return [f"{os.environ['RELEASE']} {os.environ.get('GREETING', '-')} {os.getpid()}".encode()]
