"""Clients that are not ours, against a daemon in a container, in its network: there its operator port is loopback."""

import os
import pathlib
import re
import subprocess
import tempfile

from world import ROOT, run


def blocks(heading):
    """The command blocks of one part of the README."""
    text = (ROOT / "README.md").read_text()
    part = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"```sh\n(.*?)```", part, re.DOTALL)


def commands(block):
    """Each command of a block, as it is written."""
    whole = []
    for line in block.splitlines():
        if whole and whole[-1].endswith("\\\n"):
            whole[-1] += line + ("\n" if line.endswith("\\") else "")
        elif line.strip():
            whole.append(line + ("\n" if line.endswith("\\") else ""))
    return whole


def readme(story, tools, binaries, work):
    """The README's examples, word for word. Streams that never end are read for a while."""
    env = {**os.environ, "PATH": f"{tools}/bin:{binaries}:{os.environ['PATH']}"}
    env |= {"PEERCTL_TOKEN_FILE": "hub/admin.token"}
    pid = story.inspect("hub", ".State.Pid")
    setting = "TOKEN=$(cat hub/admin.token)"
    ran = 0
    for block in blocks("grpcurl"):
        for command in commands(block):
            if command == setting:
                continue
            endless = "Watch" in command or "watch" in command
            script = f"{setting}\n{'timeout 3 ' if endless else ''}{command}"
            done = subprocess.run(
                ["nsenter", "--target", pid, "--net", "bash", "-c", script],
                cwd=work, env=env, text=True, capture_output=True,
            )
            fine = (0, 124) if endless else (0,)
            assert done.returncode in fine, f"{command}\n{done.stdout}\n{done.stderr}"
            assert done.stdout.strip(), f"{command}\nsays nothing\n{done.stderr}"
            ran += 1
    assert ran >= 6, f"the README has only {ran} examples"


def buf(story, tools, token):
    """`buf curl` asks the newer reflection."""
    call = "http://127.0.0.1:7440/peerd.admin.v1.EnrollmentService/GetEnrollment"
    said = story.inside(
        "hub", f"{tools}/bin/buf", "curl", "--protocol", "grpc", "--http2-prior-knowledge",
        "--header", f"authorization: Bearer {token}", "--data", "{}", call,
    )
    assert "enrollmentId" in said.stdout, said.stdout


def grpcio(story, tools, token):
    """grpcio with nothing but reflection, and a probe of grpc.health.v1."""
    script = pathlib.Path(__file__).with_name("reflected.py")
    said = story.inside("hub", f"{tools}/bin/python3", script, "127.0.0.1:7440", token)
    assert "SERVING" in said.stdout and "Harbor Hospital" in said.stdout, said.stdout


def all_of_them(story, tools, binaries):
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        (work / "hub").mkdir()
        run("docker", "cp", f"{story.container('hub')}:/data/admin.token", work / "hub/admin.token")
        token = (work / "hub/admin.token").read_text().strip()
        readme(story, tools, binaries, work)
        buf(story, tools, token)
        grpcio(story, tools, token)
