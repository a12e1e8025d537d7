"""Two real daemons, a real browser, and an operator of each side in it."""

import pathlib
import re
import socket
import subprocess
import threading
import time

SAMPLES = pathlib.Path(__file__).parents[2] / "deploy" / "samples"
LIMIT = 30


def tagged_file(directory, content):
    """A file with this content under a name of its own."""
    path = directory / f"upload-{len(content)}-{abs(hash(content))}.bin"
    path.write_bytes(content)
    return path


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def self_made(directory):
    """A certificate that nobody else vouches for, as an operator makes one."""
    certificate, key = directory / "api.pem", directory / "api.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True)
    return ["--tls-certificate-file", certificate, "--tls-key-file", key]


class Enrollment:
    """A real daemon in a directory of its own."""

    def __init__(self, binaries, root, name, tls=False):
        self.scheme, tls_files = "http", []
        self.binaries, self.name = binaries, name
        self.dir = pathlib.Path(root) / name
        self.mpx, self.api = (f"127.0.0.1:{free_port()}" for _ in range(2))
        if tls:
            self.scheme, tls_files = "https", self_made(pathlib.Path(root))
        subprocess.run(
            [binaries / "peerd", "init", "--data-dir", self.dir, "--name", name, "--title", f"Agency {name.title()}",
             "--listen-mpx", self.mpx, "--listen-api", self.api, "--advertise", self.mpx, *tls_files],
            check=True, stdout=subprocess.DEVNULL)
        self.token = (self.dir / "admin.token").read_text().strip()
        self.daemon = subprocess.Popen([binaries / "peerd", "run", "--data-dir", self.dir], stderr=subprocess.PIPE)
        ready = threading.Event()
        threading.Thread(target=self.listen, args=(ready,), daemon=True).start()
        assert ready.wait(LIMIT), f"{name} is not ready"

    def listen(self, ready):
        """Reads its log to the end, so that it never waits for a reader."""
        for line in self.daemon.stderr:
            if line == b"ready\n":
                ready.set()

    def peerctl(self, *arguments):
        """For what has no page: schemas and bulk data."""
        command = [self.binaries / "peerctl", "--endpoint", f"{self.scheme}://{self.api}", "--token-file",
                   self.dir / "admin.token", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def stop(self):
        self.daemon.terminate()
        assert self.daemon.wait(timeout=LIMIT) == 0, "SIGTERM drains and exits 0"


class Operator:
    """Somebody at a console. Whatever the browser complains of fails the test."""

    def __init__(self, browser, side, output, scripts=True, **context):
        self.side, self.output = side, output
        self.prefix = "" if scripts else "plain-"
        # Times are shown in the viewer's zone: the browser is in one that is not UTC.
        context = {"viewport": {"width": 1280, "height": 900}, "timezone_id": "Europe/Vienna", "locale": "en-GB",
                   "java_script_enabled": scripts, **context}
        self.context = browser.new_context(base_url=f"{side.scheme}://{side.api}", **context)
        if scripts:
            self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page = self.context.new_page()
        self.page.set_default_timeout(LIMIT * 1000)
        self.complaints = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)

    def sign_in(self, token=None):
        self.go("/console/")
        self.page.get_by_label("Token").fill(token or self.side.token)
        self.page.keyboard.press("Enter")
        self.page.get_by_role("button", name="Sign out").wait_for()

    def go(self, path):
        self.page.goto(path)
        return self

    def click(self, name, role="button", exact=True):
        self.page.get_by_role(role, name=name, exact=exact).first.click()
        return self

    def link(self, name, exact=True):
        return self.click(name, "link", exact)

    def fill(self, label, text):
        self.page.get_by_label(label, exact=True).fill(text)
        return self

    def choose(self, label, option):
        self.page.get_by_label(label, exact=True).select_option(option)
        return self

    def sees(self, text):
        self.page.get_by_text(text).first.wait_for()
        return self

    def reloads_until(self, what, condition):
        """For pages without live updates: each look is a whole load, so that nothing is asked in vain at full speed."""
        until = time.monotonic() + LIMIT
        self.page.reload()
        while not condition():
            assert time.monotonic() < until, f"not within {LIMIT} s: {what}"
            self.page.reload(wait_until="networkidle")
        return self

    def picture(self, name):
        self.page.screenshot(path=self.output / f"{self.prefix}{self.side.name}-{name}.png", full_page=True)
        return self

    def code(self):
        """The code or token that is shown once."""
        return self.page.locator("#code").input_value()

    def connection(self):
        return re.search(r"/console/connections/[^/?#]+", self.page.url).group()

    def close(self):
        assert not self.complaints, self.complaints
        self.context.close()
