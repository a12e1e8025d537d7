"""Enrollments in containers, and what can happen to them."""

import json
import os
import pathlib
import signal
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 120


def run(*args, check=True, env=None, stdin=None):
    done = subprocess.run(
        [str(arg) for arg in args],
        text=True,
        input=stdin,
        capture_output=True,
        env={**os.environ, **(env or {})},
        cwd=ROOT,
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def eventually(what, ask):
    """Asks until the answer is true."""
    end = time.monotonic() + PATIENCE
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.2)


class Story:
    """One compose file, bootstrapped by the script beside it."""

    def __init__(self, name, image="peerd-test:old", more=()):
        self.name, self.project = name, f"peerd-test-{name}"
        self.files = [ROOT / f"deploy/compose/{name}.yaml", *more]
        self.env = {"PROJECT": self.project, "PEERD_IMAGE": image, "PEERD_OVERLAYS": " ".join(map(str, more))}

    def compose(self, *args, **more):
        files = [part for file in self.files for part in ("--file", file)]
        return run("docker-compose", *files, "--project-name", self.project, *args, env=self.env, **more)

    def __enter__(self):
        self.down()
        said = run(ROOT / "deploy/compose" / self.name, env=self.env).stdout
        self.connections = said.split()[-(said.count("con_")):] if "con_" in said else []
        return self

    def __exit__(self, failed, *_):
        if failed:
            print(self.compose("logs", "--tail", "60", check=False).stdout)
        self.down()

    def down(self):
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "20", check=False)

    def ctl(self, side, *args, check=True):
        """`peerctl` beside the daemon of a side; the document it prints."""
        done = run("docker", "exec", self.container(side), "peerctl", "-o", "json", *args, check=check)
        if done.returncode != 0:
            return None
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def container(self, side):
        return f"{self.project}_{side}_1"

    def inspect(self, side, field):
        return run("docker", "inspect", "--format", "{{" + field + "}}", self.container(side)).stdout.strip()

    def inside(self, side, *args, **more):
        """Runs a program of this machine in the network of a side's container."""
        return run("nsenter", "--target", self.inspect(side, ".State.Pid"), "--net", *args, **more)

    def name_of(self, side, key):
        shown = self.ctl(side, "object", "get", "flights", "airport", key, check=False)
        return shown and shown["properties"]["name"]

    def equal(self, side, connection):
        """Both sides have the same; the command's exit code says so."""
        ask = ("docker", "exec", self.container(side), "peerctl", "connection", "verify", connection)
        eventually("both sides have the same", lambda: run(*ask, check=False).returncode == 0)

    def healthy(self, side):
        eventually(f"{side} is healthy", lambda: self.inspect(side, ".State.Health.Status") == "healthy")

    def crash(self, side):
        """SIGKILL, as the kernel does it when memory is short: the engine starts the container again by itself."""
        before = self.inspect(side, ".State.Pid")
        os.kill(int(before), signal.SIGKILL)
        eventually("it runs again", lambda: self.inspect(side, ".State.Pid") not in (before, "0"))


class Load:
    """Edits an object again and again, and knows what was acknowledged."""

    def __init__(self, story, side, key):
        self.story, self.side, self.key = story, side, key
        self.acknowledged, self.tried, self.count = None, None, 0
        self.going = True
        self.thread = threading.Thread(target=self.edit)

    def edit(self):
        number = 0
        while self.going:
            number += 1
            self.tried = f"edit {number}"
            command = ("object", "edit", "flights", "airport", self.key, f"name={self.tried}")
            if self.story.ctl(self.side, *command, check=False) is not None:
                self.acknowledged = self.tried
                self.count += 1

    def __enter__(self):
        self.thread.start()
        eventually("edits are acknowledged", lambda: self.count > 2)
        return self

    def __exit__(self, *_):
        self.going = False
        self.thread.join()

    def more(self, edits=5):
        """Waits until so many more edits were acknowledged."""
        at = self.count
        eventually("edits go on", lambda: self.count >= at + edits)

    def arrived(self, side):
        """The last edit that was acknowledged is at the other side; one that was cut off may be there instead."""
        eventually("the last edit arrived", lambda: self.story.name_of(side, self.key) in (self.acknowledged, self.tried))
