"""Connections that send too little, too much, or what is no HTTP."""

import asyncio
import contextlib
import json
import resource
import socket
from types import SimpleNamespace

import pytest

from byol_tf.serving import connections
from byol_tf.serving.connections import RestServer, most_connections
from byol_tf.serving.service import Service
from byol_tf.serving.versions import Versions
from tests.support.settings import limit_settings, server_settings

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"
ALIVE, STATUS = GET % b"/healthz", GET % b"/v1/models/tiny"


def serve(steps, most=20, grace=5.0, **limits):
    """What `steps(server)` returns, of a running server without a model."""

    async def run():
        settings = server_settings(limits=limit_settings(**limits))
        versions = Versions(".", load=lambda *_: None)
        service = Service("tiny", versions, settings)
        listener = socket.create_server(("127.0.0.1", 0))
        server = RestServer(service, listener, most)
        server.port, server.service = listener.getsockname()[1], service
        await server.start()
        try:
            return await asyncio.wait_for(steps(server), 60)
        finally:
            await server.stop(grace)
            service.close()

    return asyncio.run(run())


class Client:
    """A connection of bytes."""

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, server):
        client = cls()
        client.reader, client.writer = await asyncio.open_connection(
            "127.0.0.1", server.port
        )
        try:
            yield client
        finally:
            client.writer.close()

    def send(self, data):
        self.writer.write(data)

    async def answer(self, data=b""):
        """Status, headers in lower case and body; None at the end."""
        self.send(data)
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        first, *lines = head.decode().lower().split("\r\n")[:-2]
        headers = dict(line.split(": ", 1) for line in lines)
        body = await self.reader.readexactly(int(headers["content-length"]))
        return SimpleNamespace(
            code=int(first[9:12]), headers=headers, body=body
        )

    async def is_closed(self):
        with contextlib.suppress(ConnectionError):
            return await self.reader.read() == b""
        return True


def head(*lines, first=b"POST /v1/models/tiny:predict HTTP/1.1"):
    return b"\r\n".join([first, *lines, b"", b""])


HOST = b"Host: a"
CHUNKED = b"Transfer-Encoding: chunked"
MALFORMED = {
    "both framings": head(HOST, CHUNKED, b"Content-Length: 5") + b"0\r\n\r\n",
    "both, the other order": head(HOST, b"Content-Length: 0", CHUNKED),
    "chunks in HTTP/1.0": head(HOST, CHUNKED, first=b"POST / HTTP/1.0"),
    "two lengths": head(HOST, b"Content-Length: 5", b"Content-Length: 6"),
    "lengths in one line": head(HOST, b"Content-Length: 5, 6"),
    "negative length": head(HOST, b"Content-Length: -1"),
    "signed length": head(HOST, b"Content-Length: +5"),
    "length in hex": head(HOST, b"Content-Length: 0x5"),
    "length that is huge": head(HOST, b"Content-Length: " + b"9" * 5000),
    "unknown coding": head(HOST, b"Transfer-Encoding: gzip"),
    "coding twice": head(HOST, CHUNKED, CHUNKED),
    "coding that is not last": head(HOST, b"Transfer-Encoding: chunked, gzip"),
    "space before the colon": head(HOST, b"Content-Length : 5"),
    "line that goes on": head(HOST, b"X: a", b" b\x00"),
    "NUL in a header": head(HOST, b"X: a\x00b"),
    "no host": head(b"X: a"),
    "two hosts": head(HOST, b"Host: b"),
    "no version": head(HOST, first=b"GET /healthz"),
    "version 2": head(HOST, first=b"GET /healthz HTTP/2.0"),
    "space in the path": head(HOST, first=b"GET / healthz HTTP/1.1"),
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_http_forbids_is_refused_and_nothing_after_it_is_read(name):
    async def steps(server):
        async with Client.to(server) as client:
            answer = await client.answer(MALFORMED[name] + ALIVE)
            closed = await client.is_closed()
        return answer, closed, server.service.metrics.text().decode()

    answer, closed, metrics = serve(steps)
    assert 400 <= answer.code < 500 or answer.code == 501
    assert list(json.loads(answer.body)) == ["error"]
    assert answer.headers["connection"] == "close" and closed
    assert f'code="{answer.code}"' in metrics


@pytest.mark.parametrize("chunk", [b"x\r\n", b"-1\r\n", b"5\r\nabcdefgh\r\n"])
def test_a_malformed_chunk_ends_the_connection(chunk):
    async def steps(server):
        async with Client.to(server) as client:
            answer = await client.answer(head(HOST, CHUNKED) + chunk + ALIVE)
            return answer, await client.is_closed()

    answer, closed = serve(steps)
    assert answer.code == 400 and closed


def test_a_head_without_end_is_not_kept():
    async def steps(server):
        async with Client.to(server) as client:
            answer = await client.answer(
                b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000
            )
            return answer.code, await client.is_closed()

    assert serve(steps) == (400, True)


def test_a_good_request_keeps_the_connection():
    async def steps(server):
        async with Client.to(server) as client:
            return [await client.answer(ALIVE) for _ in range(3)]

    answers = serve(steps)
    assert [answer.code for answer in answers] == [200] * 3
    assert not any("connection" in answer.headers for answer in answers)


@pytest.mark.parametrize(
    "sent,code",
    [
        (b"", None),  # nothing ever
        (b"GET /healthz HT", 408),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a", 408),
        (head(HOST, b"Content-Length: 9") + b"{", 408),
        (head(HOST, CHUNKED) + b"1\r\n{\r\n", 408),
    ],
)
def test_what_does_not_go_on_is_ended_in_time(sent, code):
    async def steps(server):
        async with Client.to(server) as client:
            answer = await client.answer(sent)
            return answer and answer.code, await client.is_closed()

    assert serve(steps, header_s=0.3, body_s=0.3) == (code, True)


def test_a_head_that_comes_byte_by_byte_has_no_more_time():
    async def steps(server):
        async with Client.to(server) as client:
            answer = asyncio.ensure_future(client.answer())
            for byte in ALIVE[:-1]:
                client.send(bytes([byte]))
                await asyncio.wait([answer], timeout=0.05)
                if answer.done():
                    break
            return (await answer).code

    assert serve(steps, header_s=0.4) == 408


def test_a_connection_that_is_kept_alive_may_be_idle_for_longer():
    async def steps(server):
        async with Client.to(server) as client:
            await client.answer(ALIVE)
            await asyncio.sleep(0.8)
            late = await client.answer(ALIVE)
            start = asyncio.get_running_loop().time()
            assert await client.is_closed()
            return late.code, asyncio.get_running_loop().time() - start

    code, seconds = serve(steps, header_s=0.2, idle_s=1.2)
    assert code == 200 and seconds > 1


def test_half_sent_requests_beyond_the_limit_give_way_to_good_ones():
    async def steps(server):
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(60):
                client = await stack.enter_async_context(Client.to(server))
                client.send(b"GET /healthz HTTP/1.1\r\n")
            client = await stack.enter_async_context(Client.to(server))
            answers = [await client.answer(r) for r in (ALIVE, STATUS)]
            return answers, len(server.server_state.connections)

    answers, held = serve(steps, most=10)
    assert [answer.code for answer in answers] == [200, 200]
    assert held <= 10


def test_health_is_answered_while_all_connections_are_at_work():
    async def steps(server):
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(5):
                client = await stack.enter_async_context(Client.to(server))
                client.send(head(HOST, b"Content-Length: 9"))
            while server.service._in_progress < 5:
                await asyncio.sleep(0.01)
            answers = []
            for request in (ALIVE, GET % b"/metrics", STATUS):
                client = await stack.enter_async_context(Client.to(server))
                answers.append(await client.answer(request))
            assert await client.is_closed()
            return answers

    answers = serve(steps, most=5)
    assert [answer.code for answer in answers] == [200, 200, 503]
    assert "error" in json.loads(answers[2].body)


def test_beyond_the_reserve_connections_are_closed():
    async def steps(server):
        async with contextlib.AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(Client.to(server))
                for _ in range(2 + connections.RESERVE + 3)
            ]
            for client in clients:
                client.send(head(HOST, b"Content-Length: 9"))
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            return len(server.server_state.connections)

    assert serve(steps, most=2) <= 2 + connections.RESERVE


def test_a_port_that_another_process_took_meanwhile_is_an_error():
    async def steps(server):
        with socket.socket() as first, socket.socket() as late:
            for listener in (first, late):
                reuse = socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
                listener.setsockopt(*reuse)
            first.bind(("127.0.0.1", 0))
            late.bind(first.getsockname())
            first.listen()
            other = RestServer(server.service, late, 1)
            with pytest.raises(OSError, match="in use"):
                await asyncio.wait_for(other.start(), 10)

    serve(steps)


def test_a_few_open_files_lower_the_limit(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    assert 1 <= most_connections(512) < 128
    monkeypatch.setattr(resource, "getrlimit", lambda _: (32, 32))
    assert most_connections(512) == 1
    monkeypatch.setattr(resource, "getrlimit", lambda _: (10**6, 10**6))
    assert most_connections(512) == 512


def test_draining_answers_the_next_request_and_says_that_it_was_the_last():
    async def steps(server):
        async with Client.to(server) as client:
            before = await client.answer(ALIVE)
            server.service.draining = True
            ready = await client.answer(GET % b"/readyz")
            assert await client.is_closed()
        return before, ready

    before, ready = serve(steps)
    assert "connection" not in before.headers
    assert (ready.code, ready.headers["connection"]) == (503, "close")


def test_what_a_kept_alive_client_sends_while_it_ends_is_answered():
    async def steps(server):
        async with Client.to(server) as client:
            await client.answer(ALIVE)
            server.service.draining = True
            stopped = asyncio.ensure_future(server.stop(5.0))
            await asyncio.sleep(0.3)
            with pytest.raises(ConnectionError):
                await asyncio.open_connection("127.0.0.1", server.port)
            answer = await client.answer(ALIVE)
            await asyncio.wait_for(stopped, 1.5)
        return answer

    answer = serve(steps)
    assert (answer.code, answer.headers["connection"]) == (200, "close")


def test_it_ends_though_clients_keep_their_connections():
    async def steps(server):
        async with Client.to(server) as idle, Client.to(server) as half:
            await idle.answer(ALIVE)
            half.send(b"GET /healthz")
            await asyncio.wait_for(server.stop(0.4), 3)
            return await idle.is_closed() and await half.is_closed()

    assert serve(steps)


def test_an_unexpected_error_is_counted_and_known_by_the_requests_id(
    monkeypatch, caplog
):
    request = head(
        HOST, b"X-Request-ID: abc-7", first=b"GET /v1/models/tiny HTTP/1.1"
    )

    async def steps(server):
        monkeypatch.setattr(server.service, "check_name", lambda _: 1 / 0)
        async with Client.to(server) as client:
            answer = await client.answer(request)
            again = await client.answer(ALIVE)
        return answer, again, server.service.metrics.text().decode()

    answer, again, metrics = serve(steps)
    assert answer.code == 500 and again.code == 200
    assert "abc-7" in json.loads(answer.body)["error"]
    assert answer.headers["x-request-id"] == "abc-7"
    assert 'code="500",method="status"} 1.0' in metrics


def test_an_unexpected_error_of_the_metrics_is_json_too(monkeypatch):
    async def steps(server):
        metrics = server.service.metrics
        with monkeypatch.context() as patch:
            patch.setattr(metrics, "text", lambda: 1 / 0)
            async with Client.to(server) as client:
                answer = await client.answer(GET % b"/metrics")
        return answer, metrics.text().decode()

    answer, metrics = serve(steps)
    assert answer.code == 500 and "request" in json.loads(answer.body)["error"]
    assert 'code="500",method="health"} 1.0' in metrics
