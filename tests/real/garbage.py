"""What strangers send to a node's port: samples of nonsense, floods of connections, and bytes that trickle.

Everything is bounded: a sample waits SAMPLE_SECONDS for the node's answer, floods end with their `with`.
"""

import contextlib
import socket
import struct
import threading

SAMPLE_SECONDS = 8  # a hello has 5 s
CONNECT_SECONDS = 2
TRICKLE_SECONDS = 0.2
HEADER_BYTES = 64


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


def flood_greetings(place, per_second):
    """Opens connections that say nothing and are soon closed."""
    def work(ended):
        while not ended.wait(1 / per_second):
            with contextlib.suppress(OSError), socket.create_connection(place, CONNECT_SECONDS) as end:
                end.sendall(b"hello?")
    return running(work)


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
