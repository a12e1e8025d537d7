"""The overlay with the watchers: every file it mounts is there and can be read, and what they look at exists."""

import json
import re

from world import ROOT, run

COMPOSE = ROOT / "deploy/compose"


def names_in(text):
    return set(re.findall(r"\bpeerd_[a-z_]+", text))


def documented():
    return names_in((ROOT / "docs/metrics.md").read_text())


def overlays():
    for story in ("two-enrollments", "hub-and-edge"):
        run("docker-compose", "--file", COMPOSE / f"{story}.yaml", "--file", COMPOSE / "observability.yaml", "config")


def dashboard():
    shown = json.loads((COMPOSE / "observability/peerd.json").read_text())
    asked = names_in(json.dumps(shown))
    # A histogram and its parts have one row.
    asked = {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked}
    assert asked and asked <= documented(), asked - documented()


def all_of_them():
    overlays()
    dashboard()
