"""A TCP proxy before one node, which counts what comes from it, and cuts.

A cut resets every connection at once (both sides see RST), or lets them hang: nothing is forwarded any more, nothing is closed, as
by a firewall that forgot them; new connections pass. It strikes when the bytes that the node sent for seeds reach a mark, so at any
byte of any message. Which connection serves a seed is read from its first message (transport/README.md, Hello).

Threads: one accepts, two for each connection; all end with close().
"""

import contextlib
import socket
import struct
import threading

PURPOSE_OFFSET = 64 + 4  # of Hello's purpose: behind the frame header and two versions
SEEDS = (2, 5)  # of a seed: its first connection, and its further streams
CHUNK_BYTES = 64 * 1024
CONNECT_SECONDS = 5


class Proxy:
    def __init__(self, target):
        """`target`: "host:port" of the node behind."""
        host, port = target.rsplit(":", 1)
        self._target = (host, int(port))
        self._lock = threading.Lock()
        self._connections = []
        self._marks = []  # (bytes of seeds, how), ascending
        self.seed_bytes = 0  # delivered from the node on connections for seeds
        self.log_bytes = 0
        self.cuts = []  # (bytes of seeds so far, how)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_at(self, marks):
        """Strikes at these (bytes, "reset" or "hang")."""
        with self._lock:
            self._marks = sorted(marks)

    def cut_now(self, how):
        with self._lock:
            self._strike(how)

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_now("reset")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near):
        try:
            far = socket.create_connection(self._target, CONNECT_SECONDS)
            far.settimeout(None)
        except OSError:
            reset(near)
            return
        connection = Connection(near, far)
        with self._lock:
            self._connections.append(connection)
        threading.Thread(target=self._carry_asks, args=(connection,), daemon=True).start()
        self._carry_answers(connection)
        with self._lock:
            if connection in self._connections:
                self._connections.remove(connection)

    def _carry_asks(self, connection):
        with contextlib.suppress(OSError):
            while chunk := connection.near.recv(CHUNK_BYTES):
                if not connection.hanging.is_set():
                    connection.look_at(chunk)
                    connection.far.sendall(chunk)
            if not connection.hanging.is_set():
                connection.far.shutdown(socket.SHUT_WR)
            return
        if not connection.hanging.is_set():
            connection.reset()

    def _carry_answers(self, connection):
        try:
            while chunk := connection.far.recv(CHUNK_BYTES):
                if connection.hanging.is_set():
                    continue
                for piece in self._pieces(connection, chunk):
                    connection.near.sendall(piece)
            if not connection.hanging.is_set():
                connection.near.shutdown(socket.SHUT_WR)
        except OSError:
            connection.reset()

    def _pieces(self, connection, chunk):
        """What of `chunk` is to be delivered: up to a mark, then the cut strikes."""
        if connection.purpose not in SEEDS:
            self.log_bytes += len(chunk)
            yield chunk
            return
        with self._lock:
            mark = self._marks[0][0] if self._marks else None
            if mark is None or self.seed_bytes + len(chunk) < mark:
                self.seed_bytes += len(chunk)
                mark = None
        if mark is None:
            yield chunk
            return
        part = max(0, mark - self.seed_bytes)
        if part:
            yield chunk[:part]
        with self._lock:
            self.seed_bytes += part
            if self._marks:
                self._strike(self._marks.pop(0)[1])

    def _strike(self, how):
        self.cuts.append((self.seed_bytes, how))
        for connection in self._connections:
            if how == "hang":
                connection.hanging.set()
            else:
                connection.reset()
        if how != "hang":
            self._connections.clear()


class Connection:
    def __init__(self, near, far):
        self.near, self.far = near, far
        self.hanging = threading.Event()
        self.purpose = None
        self._first = b""

    def look_at(self, chunk):
        if self.purpose is None:
            self._first += chunk
            if len(self._first) > PURPOSE_OFFSET:
                self.purpose = self._first[PURPOSE_OFFSET]

    def reset(self):
        reset(self.near)
        reset(self.far)


def reset(end):
    """Closes with RST instead of FIN; wakes whoever waits in it."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RD)
    end.close()
