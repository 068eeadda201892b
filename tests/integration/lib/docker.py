# SPDX-License-Identifier: ISC
"""A stand-in for docker: a client on the PATH, and a daemon in the test that runs the work outside of mai's reach."""
import pathlib
import subprocess
import threading
import time

from .mai import FAKE

CLIENT = """#!/bin/sh
# docker run -p PORT:8080 IMAGE | docker stop NAME
cd {dir} || exit 125
echo "$*" >> calls
case $1 in
run)
  {more}
  rm -f gone; echo "${{3%%:*}}" > port.new; mv port.new port
  while [ ! -e gone ]; do sleep 0.05; done ;;
stop)
  : > stop
  while [ ! -e gone ]; do sleep 0.05; done ;;
esac
"""


class Docker:
    """engine: switches of the pretend engine inside; more: what its client does besides (shell)."""

    def __init__(self, mai, engine=(), more=":"):
        self.dir = mai.tmp / "docker"
        self.dir.mkdir()
        self.engine = list(map(str, engine))
        client = self.dir / "docker"
        client.write_text(CLIENT.format(dir=self.dir, more=more))
        client.chmod(0o755)
        mai.env["PATH"] = f"{self.dir}:{mai.env.get('PATH', '/usr/bin:/bin')}"
        self.p = None
        self.runs = 0
        self.end = False
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def calls(self, verb):
        path = self.dir / "calls"
        return [x for x in path.read_text().splitlines() if x.split()[0] == verb] if path.exists() else []

    def running(self):
        return self.p is not None and self.p.poll() is None

    def take(self, name):
        path = pathlib.Path(self.dir / name)
        if not path.exists():
            return None
        text = path.read_text().strip()
        path.unlink()
        return text

    def serve(self):
        while not self.end:
            port, stop = self.take("port"), self.take("stop")
            if port:
                # As docker does where the name or the port is taken.
                assert not self.running(), "two containers"
                self.p = subprocess.Popen([FAKE, "--port", port, *self.engine], env={}, stdin=subprocess.DEVNULL,
                                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                self.runs += 1
            if stop is not None and self.p:
                self.p.terminate()
            if self.p and self.p.poll() is not None:
                self.p = None
                (self.dir / "gone").touch()
            elif stop is not None and not self.p:
                (self.dir / "gone").touch()
            time.sleep(0.01)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *a):
        self.end = True
        self.thread.join(5)
        if self.running():
            self.p.kill()
            self.p.wait(5)
