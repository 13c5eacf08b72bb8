"""Routes served in a thread of this process, by the server of the package."""

import asyncio
import contextlib
import functools
import socket
import threading

from byol_tf.serving.connections import RestServer
from byol_tf.serving.service import NoVersions, Service
from tests.support.settings import server_settings

_SECONDS = 60  # to start or to stop


@contextlib.contextmanager
def served(routes):
    """Gives the address of running routes, and a function that ends them."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    listener = socket.create_server(("127.0.0.1", 0))
    service = Service("", NoVersions(), server_settings(), routes)

    def wait(job):
        asyncio.run_coroutine_threadsafe(job, loop).result(_SECONDS)

    async def start():
        servers.append(RestServer(service, listener, 16))
        await servers[0].start()

    @functools.cache
    def stop():
        wait(servers[0].stop(0))

    servers = []
    try:
        wait(start())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", stop
        stop()
    finally:
        service.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
