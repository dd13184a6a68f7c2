"""What strangers send to a node's port: samples of nonsense, floods of connections, and bytes that trickle.

Everything is bounded: a sample waits SAMPLE_SECONDS for the node's answer, floods end with their `with`.
"""

import collections
import contextlib
import functools
import socket
import ssl
import struct
import threading
import time

SAMPLE_SECONDS = 8  # a hello has 5 s
CONNECT_SECONDS = 2
TRICKLE_SECONDS = 0.2
HEADER_BYTES = 64
HELD_MAX = 256  # connections of a flood that stay at a time: more than a node lets stay


def samples(random):
    """Name: bytes."""
    header = bytearray(b"CCRF" + struct.pack("<HBB", 1, 1, 0) + bytes(HEADER_BYTES - 8))
    long = bytearray(header)
    struct.pack_into("<I", long, 24, 0xFFFFFFFF)
    return {
        "random bytes": random.randbytes(4096),
        "a megabyte of random bytes": random.randbytes(2**20),
        "HTTP": b"GET / HTTP/1.1\r\nHost: ccr\r\n\r\n",
        "TLS": bytes.fromhex("16030100f8010000f40303") + random.randbytes(240),
        "a header with a wrong checksum": bytes(header),
        "a body of 4 GiB": bytes(long),
        "half a header": bytes(header[:31]),
        "nothing": b"",
        "zeros": bytes(4096),
    }


def send_samples(random, place):
    """Sends each on a connection of its own and waits until the node closes it; their names."""
    names = []
    for name, content in samples(random).items():
        with socket.create_connection(place, CONNECT_SECONDS) as end:
            end.settimeout(SAMPLE_SECONDS)
            with contextlib.suppress(ConnectionError):
                end.sendall(content)
            with contextlib.suppress(ConnectionError):
                while end.recv(4096):
                    pass
        names.append(name)
    # Half open: this side says that it has ended, and listens.
    with socket.create_connection(place, CONNECT_SECONDS) as end:
        end.settimeout(SAMPLE_SECONDS)
        end.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            assert end.recv(4096) == b"", "a node has nothing to say to nobody"
    return [*names, "half open"]


@contextlib.contextmanager
def running(work):
    """work(ended) in a thread until the `with` ends."""
    ended = threading.Event()
    thread = threading.Thread(target=work, args=(ended,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


# Strangers of a flood. True: whoever came stays.

def leave(_end, _random):
    """Comes and goes."""
    return False


def reset(end, _random):
    """Is gone before it can be taken."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def babble(end, random):
    """Says something that is no TLS and no ccr."""
    end.send(random.randbytes(200))
    return True


def say_nothing(_end, _random):
    """Comes and stays."""
    return True


def begin_tls(end, _random):
    """Says half of a ClientHello, and stays."""
    hello = client_hello()
    end.send(hello[:len(hello) // 2])
    return True


def leave_tls_waiting(end, _random):
    """Says a whole ClientHello, which costs the node its answer, and never goes on."""
    end.send(client_hello())
    return True


@functools.cache
def client_hello():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["ccr/1"])
    context.check_hostname = False
    spoken = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), spoken).do_handshake()
    return spoken.read()


STRANGERS = (leave, reset, babble, say_nothing, begin_tls, leave_tls_waiting)


class Flood:
    """Strangers of these kinds, so many a second as far as this machine can, each from one of the addresses, until the `with` ends.

    `came` counts them by kind. Who stays does so until the node closes, or HELD_MAX others stay.
    """

    def __init__(self, place, per_second, random, addresses=("127.0.0.1",), kinds=STRANGERS):
        self.came = dict.fromkeys((kind.__name__ for kind in kinds), 0)
        self._place, self._per_second, self._random = place, per_second, random
        self._addresses, self._kinds = addresses, kinds
        self._held = collections.deque()
        self._running = running(self._work)

    def __enter__(self):
        self._running.__enter__()
        return self

    def __exit__(self, *what):
        self._running.__exit__(*what)
        while self._held:
            self._held.popleft().close()

    @property
    def total(self):
        return sum(self.came.values())

    def _work(self, ended):
        began = time.monotonic()
        while not ended.is_set():
            due = (time.monotonic() - began) * self._per_second
            if self.total >= due:
                ended.wait(1 / self._per_second)
                continue
            with contextlib.suppress(OSError):
                self._come(self._random.choice(self._kinds), self._random.choice(self._addresses))

    def _come(self, kind, address):
        end = socket.create_connection(self._place, CONNECT_SECONDS, (address, 0))
        self.came[kind.__name__] += 1
        stays = False
        try:
            stays = kind(end, self._random)
        finally:
            if stays:
                self._held.append(end)
            else:
                end.close()
            if len(self._held) > HELD_MAX:
                self._held.popleft().close()


def trickle(place, count):
    """Slow-loris: so many connections, each sending a byte of a header now and then; what is closed is opened again."""
    def work(ended):
        ends = [None] * count
        while not ended.wait(TRICKLE_SECONDS):
            for number, end in enumerate(ends):
                try:
                    if end is None or closed(end):
                        raise OSError("to be opened")
                    end.send(b"C")
                except OSError:
                    ends[number] = again(end, place)
        for end in ends:
            if end is not None:
                end.close()
    return running(work)


def again(end, place):
    if end is not None:
        end.close()
    try:
        end = socket.create_connection(place, CONNECT_SECONDS)
        end.setblocking(False)
        end.send(b"C")
        return end
    except OSError:
        return None


def closed(end):
    try:
        return end.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
