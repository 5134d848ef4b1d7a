"""Drives `peakdrill proxy` through Toxiproxy's own client for Python, as it is on PyPI, and looks at what passes.

usage: drive_toxiproxy.py HOST:PORT    (of the API)
"""

import socket
import sys
import threading
import time

import requests
from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

PATIENCE = 20


def serve(listener, answer):
    while True:
        stream, _ = listener.accept()
        threading.Thread(target=answer, args=(stream,), daemon=True).start()


def echo(stream):
    with stream:
        while data := stream.recv(65536):
            stream.sendall(data)


def listen(answer):
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, answer), daemon=True).start()
    return "127.0.0.1:%d" % listener.getsockname()[1]


def dial(proxy):
    host, port = proxy.listen.rsplit(":", 1)
    stream = socket.create_connection((host, int(port)), timeout=PATIENCE)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def all_of(stream, size):
    data = b""
    while len(data) < size:
        part = stream.recv(65536)
        if not part:
            break
        data += part
    return data


def round_trip(proxy, data=b"hello"):
    """How long it takes, and what comes back."""
    with dial(proxy) as stream:
        began = time.monotonic()
        stream.sendall(data)
        return time.monotonic() - began, all_of(stream, len(data)), time.monotonic() - began


def refused(proxy):
    try:
        dial(proxy).close()
    except ConnectionRefusedError:
        return True
    return False


def raises(kind, what):
    try:
        what()
    except kind:
        return True
    return False


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    server = Toxiproxy()
    server.update_api_consumer(host, int(port))
    api = "http://%s:%s" % (host, port)
    assert server.running() and b"version" in server.version()
    assert server.proxies() == {}

    proxy = server.create(upstream=listen(echo), name="echo")
    assert not proxy.listen.endswith(":0") and proxy.enabled
    assert list(server.proxies()) == ["echo"] and proxy.toxics() == {}
    assert raises(ProxyExists, lambda: server.create(upstream="127.0.0.1:1", name="echo"))
    assert requests.post(api + "/proxies", json={"name": "echo", "upstream": "x:1"}).status_code == 409
    assert requests.post(api + "/proxies", json={"name": "none"}).json()["error"] == "missing required field: upstream"
    assert requests.get(api + "/proxies/none").json() == {"error": "proxy not found", "status": 404}
    assert requests.post(api + "/proxies", data="{").status_code == 400
    # A page in a browser must not be able to break things.
    assert requests.get(api + "/proxies", headers={"User-Agent": "Mozilla/5.0"}).status_code == 403
    assert round_trip(proxy)[1] == b"hello"

    # latency
    proxy.add_toxic(type="latency", attributes={"latency": 200, "jitter": 10})
    toxic = proxy.get_toxic("latency_downstream")
    assert (toxic.stream, toxic.toxicity, toxic.attributes) == ("downstream", 1.0, {"latency": 200, "jitter": 10})
    _, data, took = round_trip(proxy)
    assert data == b"hello" and 0.19 <= took, took
    assert raises(ProxyExists, lambda: proxy.add_toxic(type="latency"))
    # … changed while it is in force: newer clients PATCH, older ones POST
    changed = requests.post(api + "/proxies/echo/toxics/latency_downstream", json={"attributes": {"latency": 50}})
    assert changed.status_code == 200 and changed.json()["attributes"] == {"latency": 50, "jitter": 10}, changed.text
    _, _, took = round_trip(proxy)
    assert 0.04 <= took, took
    # … and bites nobody with a toxicity of 0
    changed = requests.patch(
        api + "/proxies/echo/toxics/latency_downstream", json={"toxicity": 0, "attributes": {"latency": 60000}}
    )
    assert changed.json()["toxicity"] == 0, changed.text
    assert all(round_trip(proxy)[1] == b"hello" for _ in range(5)), "within the patience of 20 seconds"
    assert proxy.destroy_toxic("latency_downstream")
    assert raises(NotFound, lambda: proxy.destroy_toxic("latency_downstream"))
    assert raises(InvalidToxic, lambda: proxy.add_toxic(type="plague"))
    assert raises(InvalidToxic, lambda: proxy.add_toxic(type="latency", stream="sidewards"))

    # bandwidth
    proxy.add_toxic(type="bandwidth", stream="upstream", attributes={"rate": 20})
    data = bytes(range(256)) * 40
    _, back, took = round_trip(proxy, data)
    assert back == data and 0.5 <= took, took
    proxy.destroy_toxic("bandwidth_upstream")

    # slicer
    proxy.add_toxic(type="slicer", attributes={"average_size": 64, "size_variation": 32, "delay": 1000})
    with dial(proxy) as stream:
        stream.sendall(data[:2048])
        parts = []
        while sum(map(len, parts)) < 2048:
            parts.append(stream.recv(65536))
    assert b"".join(parts) == data[:2048] and len(parts) > 8, len(parts)
    proxy.destroy_toxic("slicer_downstream")

    # limit_data
    proxy.add_toxic(type="limit_data", attributes={"bytes": 5})
    with dial(proxy) as stream:
        stream.sendall(b"hello, world")
        try:
            came = all_of(stream, 12)
        except ConnectionResetError:
            came = b"hello"
    assert came == b"hello", came
    proxy.destroy_toxic("limit_data_downstream")

    # slow_close
    greets = server.create(upstream=listen(lambda stream: (stream.sendall(b"bye"), stream.close())), name="greets")
    greets.add_toxic(type="slow_close", attributes={"delay": 300})
    with dial(greets) as stream:
        assert all_of(stream, 3) == b"bye"
        began = time.monotonic()
        assert stream.recv(1) == b"" and time.monotonic() - began >= 0.25
    greets.destroy()

    # timeout
    proxy.add_toxic(type="timeout", attributes={"timeout": 200})
    with dial(proxy) as stream:
        began = time.monotonic()
        stream.sendall(b"hello")
        try:
            assert stream.recv(5) == b""
        except ConnectionResetError:
            pass
        assert time.monotonic() - began >= 0.15
    proxy.destroy_toxic("timeout_downstream")
    # … of 0: nothing passes until it is taken away, and nothing is lost
    proxy.add_toxic(type="timeout", attributes={"timeout": 0})
    with dial(proxy) as stream:
        stream.sendall(b"hello")
        stream.settimeout(0.3)
        assert raises(TimeoutError, lambda: stream.recv(5))
        proxy.destroy_toxic("timeout_downstream")
        stream.settimeout(PATIENCE)
        assert all_of(stream, 5) == b"hello"

    # reset_peer
    proxy.add_toxic(type="reset_peer", attributes={"timeout": 0})
    with dial(proxy) as stream:
        assert raises(ConnectionResetError, lambda: (stream.sendall(b"hello"), stream.recv(5), stream.recv(5)))
    proxy.destroy_toxic("reset_peer_downstream")

    # down, and up again
    with proxy.down():
        assert refused(proxy) and not server.get_proxy("echo").enabled
    assert round_trip(proxy)[1] == b"hello"

    # reset: everything is enabled, and no toxic is left
    proxy.add_toxic(type="latency", attributes={"latency": 5000})
    proxy.disable()
    assert server.reset()
    assert proxy.toxics() == {} and round_trip(proxy)[1] == b"hello"

    # populate, and another upstream for a proxy that is there
    other = listen(lambda stream: (stream.sendall(b"other"), stream.close()))
    made = server.populate([{"name": "echo", "upstream": other, "listen": proxy.listen}, {"name": "more", "upstream": other}])
    assert [one.name for one in made] == ["echo", "more"]
    with dial(server.get_proxy("echo")) as stream:
        assert all_of(stream, 5) == b"other"
    several = [{"name": "more", "upstream": other, "listen": server.get_proxy("more").listen}, {"name": "third", "upstream": other}]
    answer = requests.post(api + "/populate", json=several)
    assert answer.status_code == 201 and [one["name"] for one in answer.json()["proxies"]] == ["more", "third"], answer.text
    server.destroy_all()
    assert server.proxies() == {} and refused(proxy)
    print("every toxic does what it should")


main()
