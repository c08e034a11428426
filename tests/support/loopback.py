"""A server of a test's own on loopback, while it is needed."""

import threading
from contextlib import contextmanager


@contextmanager
def serving(server):
    """Answer in a thread until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
