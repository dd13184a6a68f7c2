"""One conversation with a node over its control socket: a JSON object a line, as engine/CONTROL.md says.

A call ends with the result, or raises Refused with the node's own words, or Unreachable when nobody listens or the node went away
in the middle. Bounds: a line of LINE_BYTES_MAX, silence of the given seconds.
"""

import contextlib
import json
import socket

LINE_BYTES_MAX = 16 * 2**20
SILENCE_SECONDS = 60  # a node tells progress twice a second, but not before it has synced what was asked: once that was silent for more than 30 s, beside others that filled the disk


class Refused(Exception):
    """The node answered: no. `kind` is a name of ErrorKind."""

    def __init__(self, error):
        super().__init__(f"{error['kind']}: {error['message']} (hint: {error.get('hint', '')})")
        self.kind = error["kind"]
        self.message = error["message"]
        self.hint = error.get("hint", "")


class Unreachable(Exception):
    """No daemon at the socket, or it ended before its answer."""


class Conversation:
    """A command under way: iterate over its progress and events, then read `result`."""

    def __init__(self, path, command, silence=SILENCE_SECONDS, **arguments):
        self.result = None
        self._rest = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(silence)
        try:
            self._socket.connect(str(path))
            self._socket.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
        except OSError as error:
            self._socket.close()
            raise Unreachable(f"{path}: {error}") from error

    def __iter__(self):
        try:
            while True:
                line = self._line()
                if "progress" in line:
                    yield line["progress"]
                elif "event" in line:
                    yield line["event"]
                elif line["ok"]:
                    self.result = line["result"]
                    return
                else:
                    raise Refused(line["error"])
        finally:
            self.close()

    def close(self):
        self._socket.close()

    def shut(self):
        """From another thread: the one that iterates sees the end."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _line(self):
        while b"\n" not in self._rest:
            try:
                more = self._socket.recv(65536)
            except OSError as error:
                raise Unreachable(str(error)) from error
            if not more or len(self._rest) > LINE_BYTES_MAX:
                raise Unreachable("the node closed the control socket in the middle of a command")
            self._rest += more
        line, self._rest = self._rest.split(b"\n", 1)
        return json.loads(line)


def ask(path, command, silence=SILENCE_SECONDS, **arguments):
    """The result of a command, its progress left aside."""
    conversation = Conversation(path, command, silence, **arguments)
    for _ in conversation:
        pass
    return conversation.result
