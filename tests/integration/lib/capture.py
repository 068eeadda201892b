# SPDX-License-Identifier: ISC
"""An engine that only writes down what it receives: python3 capture.py PORT DIR. Each connection becomes DIR/N.bin once
it is over. The answer comes when the head and, by a lenient reading, the body are there, and closes the connection."""
import os
import re
import socket
import sys
import threading

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{"object":"ok"}'


def whole(data):
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    m = re.search(rb"\r\ncontent-length:\s*(\d+)", data[:end + 2], re.I)
    if m:
        return len(data) >= end + 4 + int(m[1])
    return not re.search(rb"\r\ntransfer-encoding:", data[:end + 2], re.I) or data.endswith(b"0\r\n\r\n")


def one(c, n, out):
    data, answered = b"", False
    c.settimeout(10)
    try:
        while True:
            part = c.recv(65536)
            if not part:
                break
            data += part
            if not answered and whole(data):
                answered = True
                c.sendall(ANSWER)
                c.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    c.close()
    if data:
        with open(f"{out}/{n}.tmp", "wb") as f:
            f.write(data)
        os.rename(f"{out}/{n}.tmp", f"{out}/{n}.bin")


def main():
    port, out = int(sys.argv[1]), sys.argv[2]
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    s.listen(128)
    n = 0
    while True:
        c, _ = s.accept()
        n += 1
        threading.Thread(target=one, args=(c, n, out), daemon=True).start()


if __name__ == "__main__":
    main()
