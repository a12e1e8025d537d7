"""Enrollments in containers, through what networks, machines and upgrades do to them. Usage: run.py BINARIES TOOLS

After each of them both sides verify equal, nothing that was acknowledged is lost, and no operator did anything.
"""

import datetime
import pathlib
import shutil
import sys
import tempfile

import clients
import metrics
from world import ROOT, Load, Story, eventually, run

BINARIES, TOOLS = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
FAKETIME = pathlib.Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


def images():
    """The image, and one whose programs are other files: what an upgrade brings."""
    run(ROOT / "deploy/image-offline", BINARIES, "peerd-test:old")
    with tempfile.TemporaryDirectory() as made:
        made = pathlib.Path(made)
        (made / "note").write_text("another build")
        for program in ("peerd", "peerctl"):
            run("objcopy", "--add-section", f".peerd.build={made / 'note'}", BINARIES / program, made / program)
        run(ROOT / "deploy/image-offline", made, "peerd-test:new")
    size = run("docker", "image", "inspect", "--format", "{{.Size}}", "peerd-test:old").stdout
    print(f"the image has {int(size) >> 20} MiB")


def hardened(story):
    for side in ("hub", "edge"):
        assert story.inspect(side, ".Config.User") == "65532:65532"
        assert story.inspect(side, ".HostConfig.ReadonlyRootfs") == "true"
        # The operator port is the container's own: nobody else reaches it.
        other = "edge" if side == "hub" else "hub"
        reached = story.inside(other, "bash", "-c", f"echo > /dev/tcp/{address(story, side)}/7440", check=False)
        assert reached.returncode != 0, "the operator port is open to the network"


def address(story, side):
    network = f"{story.project}_between"
    form = f'(index .NetworkSettings.Networks "{network}").IPAddress'
    return story.inspect(side, form)


def cut(story, connection):
    network = f"{story.project}_between"
    run("docker", "network", "disconnect", network, story.container("edge"))
    story.ctl("hub", "object", "edit", "flights", "airport", "JFK", "name=Cut off")
    story.ctl("edge", "object", "edit", "flights", "airport", "LAX", "name=Alone")
    run("docker", "network", "connect", "--alias", "edge.example", network, story.container("edge"))
    eventually("the hub's edit arrived", lambda: story.name_of("edge", "JFK") == "Cut off")
    eventually("the edge's edit arrived", lambda: story.name_of("hub", "LAX") == "Alone")
    story.equal("hub", connection)


def crashes(story, connection):
    for victim in ("edge", "hub"):
        with Load(story, "hub", "SFO") as load:
            story.crash(victim)
            load.more()
        load.arrived("edge")
        story.equal("hub", connection)
    # Killed by an operator, who starts it again.
    with Load(story, "edge", "SEA") as load:
        run("docker", "kill", story.container("hub"))
        load.more()
        run("docker", "start", story.container("hub"))
        load.more()
    load.arrived("hub")
    story.equal("hub", connection)


def upgrade(story, connection):
    before = {side: story.inspect(side, ".Image") for side in ("hub", "edge")}
    story.env["PEERD_IMAGE"] = "peerd-test:new"
    with Load(story, "hub", "BOS") as load:
        for side in ("edge", "hub"):
            story.compose("up", "--detach", "--no-deps", side)
            assert story.inspect(side, ".Image") != before[side], "the binary is another"
            story.healthy(side)
        load.more()
    load.arrived("edge")
    story.equal("hub", connection)


def skewed(connection_story):
    """The edge's clock is 40 minutes ahead, within what the limits allow."""
    if not FAKETIME.exists():
        print("NOT TESTED: libfaketime is not installed")
        return
    name = connection_story.name
    with tempfile.TemporaryDirectory() as made:
        overlay = pathlib.Path(made) / "skew.yaml"
        overlay.write_text(
            "services:\n  edge:\n"
            "    environment: {LD_PRELOAD: /skew.so, FAKETIME: '+40m', FAKETIME_DONT_FAKE_MONOTONIC: '1'}\n"
            f"    volumes: ['{FAKETIME}:/skew.so:ro']\n"
        )
        story = Story(name, more=(overlay,))
        with story:
            connection = story.connections[0]
            said = story.ctl("edge", "audit", "list")["items"][-1]["at"]
            ahead = datetime.datetime.fromisoformat(said) - datetime.datetime.now(datetime.timezone.utc)
            assert ahead > datetime.timedelta(minutes=30), f"the edge's clock is not ahead: {said}"
            story.ctl("edge", "object", "edit", "flights", "airport", "JFK", "name=Ahead")
            eventually("it arrived", lambda: story.name_of("hub", "JFK") == "Ahead")
            # A later write at the side that is behind wins all the same: it saw the other.
            story.ctl("hub", "object", "edit", "flights", "airport", "JFK", "name=Later")
            eventually("it arrived", lambda: story.name_of("edge", "JFK") == "Later")
            story.equal("hub", connection)


def slow(story, connection):
    device = story.inside("hub", "ip", "-brief", "address").stdout
    device = next(line.split("@")[0] for line in device.splitlines() if address(story, "hub") in line)
    rule = ("tc", "qdisc", "add", "dev", device, "root", "netem", "delay", "60ms", "20ms", "loss", "2%", "rate", "4mbit")
    if story.inside("hub", *rule, check=False).returncode != 0:
        print("NOT TESTED: this kernel has no netem")
        return
    with Load(story, "hub", "DEN") as load:
        load.more()
    load.arrived("edge")
    story.equal("hub", connection)


def main():
    images()
    assert shutil.which("docker-compose")
    with Story("two-enrollments") as story:
        connection = story.connections[0]
        for step in (hardened, clients.all_of_them):
            print(f"-- {step.__name__}")
            step(story) if step is hardened else step(story, TOOLS, BINARIES)
        for step in (cut, crashes, slow, upgrade):
            print(f"-- {step.__name__}", flush=True)
            step(story, connection)
    print("-- skewed", flush=True)
    skewed(story)
    print("-- hub-and-edge", flush=True)
    with Story("hub-and-edge") as story:
        for connection in story.connections:
            story.equal("hub", connection)
        story.crash("hub")
        for connection in story.connections:
            story.equal("hub", connection)
        assert story.name_of("south", "N01") is None
    print("-- relay", flush=True)
    with Story("relay") as story:
        connection = story.connections[0]
        assert story.inspect("hub", ".HostConfig.NetworkMode") == "none"
        with Load(story, "hub", "DEN") as load:
            story.crash("edge")
            load.more()
            run("docker", "stop", story.container("hub-to-edge"))
            load.more()
            run("docker", "start", story.container("hub-to-edge"))
        load.arrived("edge")
        story.equal("hub", connection)
    print("-- observability", flush=True)
    metrics.all_of_them()
    print("all stories passed")


if __name__ == "__main__":
    main()
