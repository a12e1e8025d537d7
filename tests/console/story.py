"""The whole story on two consoles: link, request, approval with narrowed security, activation, live data, disabling,
a change of security, the end."""

import re

from playwright.sync_api import expect

import files
import schemas


def prepared(operator, space):
    """A side with a space, levels, a marking, and policies that let it meet others on this machine."""
    operator.go("/console/spaces").fill("Name", space).click("Create space").sees(f"The space {space} is made.")
    operator.go("/console/security").fill("Levels, lowest first", "open\nrestricted\nsecret").click("Set levels")
    operator.sees("The levels are set.")
    operator.fill("Name", "medical").click("Create marking").sees("The marking is made.")
    propose(operator, "ingress", {"Sources": "127.0.0.0/8"})
    propose(operator, "egress", {"Destination": "127.0.0.0/8", "Ports": "1-65535"})
    schemas.ontology(operator, space, (operator.samples / "flights.yaml").read_text())


def propose(operator, side, fields):
    operator.go("/console/policies/propose").choose("Direction", side)
    for label, text in fields.items():
        operator.fill(label, text)
    operator.fill("Enrollments", "any").fill("Justification", f"{side} for the story").click("Propose and approve")
    operator.sees("Proposed. The policy is active.")


def linked(north, south):
    """North makes a link code, South enters it, and both become healthy."""
    north.go("/console/network").link("Make a link code")
    north.click("Make code").sees("It is shown this once.").picture("link-code")
    code = north.code()
    south.go("/console/network").link("Enter link code").fill("Link code", code).click("Inspect").sees("Link details")
    south.picture("link-details").fill("Name here", "north").click("Accept link").sees("The other side is contacted now.")
    for side in (north, south):
        side.go("/console/network")
        side.reloads_until("the link is healthy", lambda: side.page.locator("table .badge.healthy").count() == 1)
        side.picture("network")


def requested(north, scripts=True):
    """North asks; gives the code."""
    north.go("/console/").link("Create a peer request")
    north.page.get_by_label("Highest classification").select_option("restricted")
    north.page.get_by_label("medical").check()
    for way in ("export", "import"):
        north.page.locator(f"input[name={way}][value=artifacts]").check()
    north.picture("request")
    north.click("Create request").sees("It is shown this once.").picture("invite-code")
    code = north.code()
    if scripts:
        north.click("Copy invite code").sees("Copied.")
        assert north.page.evaluate("navigator.clipboard.readText()") == code
    north.link("Done").sees("Waiting for an approval").picture("requested")
    return code


def approved(south, code):
    """South looks at the code, narrows the security and approves."""
    south.go("/console/").link("Enter invite code").fill("Invite code", code).click("Inspect")
    south.sees("Connection details").sees("Nothing stands against approving it now").picture("details")
    south.page.get_by_label("Highest classification").select_option("open")
    south.page.get_by_label("medical").uncheck()
    south.click("Approve request").sees("Approved. The connection starts when the other side activates it.")
    south.picture("approved")


def activated(north):
    """North sees what South chose, and activates."""
    north.sees("approved your request").sees("narrowed from").picture("activate")
    north.click("Activate").sees("Active. Now share the types that may flow.")
    return north.connection()


def shared(operator, connection):
    operator.go(f"{connection}/ontology")
    operator.page.get_by_label("Airport", exact=False).check()
    operator.click("Share").sees("Shared: airport.").picture("ontology")


def data_arrives_live(north, south, here, there):
    """Both consoles stand open, nobody reloads, and the numbers change."""
    shared(north, here)
    shared(south, there)
    south.go(there).sees("Live")
    north.go("/console/").sees("Live")
    north.side.peerctl("object", "load", "flights", "airport", str(north.samples / "airports.csv"), "--ignore-extra")
    cursor = south.page.locator("section[aria-labelledby=feeds] td:has-text('import') ~ td.number").first
    # The rates are seen as well, while it moves.
    north.page.locator(".mesh text.rate").first.wait_for()
    north.picture("mesh-moves")
    # Nobody reloads: more than a thousand rows are told to the page that stands open.
    expect(cursor).to_have_text(re.compile(r"^[1-9]\d{3,}$"), timeout=30_000)
    south.page.locator("section[aria-labelledby=feeds] .badge.healthy").first.wait_for()
    south.page.locator(".spark .area").first.wait_for()
    south.picture("live")
    north.picture("home")
    # What arrived is there to be read, and an edit of one side comes to the other.
    south.go("/console/objects/traffic/airport").fill("Key starts with", "JF").click("Search").picture("objects")
    south.link("JFK").sees("imported").link("Edit").picture("edit")
    south.page.locator("[id='set.name']").fill("Kennedy")
    south.click("Save").sees("Saved.").picture("object")
    north.go("/console/objects/flights/airport/object?key=JFK")
    north.reloads_until("the edit is here", lambda: north.page.get_by_text("Kennedy").count() > 0)


def halted(north, south, here, there):
    """Disabling is seen at the other side without a reload, and undone."""
    south.go(there).sees("Live")
    north.go(f"{here}/settings").picture("settings").click("Disable").sees("Disabled. No data flows")
    south.sees("disabled by the other side").picture("disabled")
    north.click("Enable").sees("Enabled.")
    south.page.locator(".stage.active").wait_for()


def widened(north, south, here, there):
    """North proposes another security; it counts once South has approved it."""
    north.go(f"{here}/settings")
    north.page.get_by_label("Highest classification").select_option("restricted")
    north.click("Propose change").sees("Proposed. The other side decides.")
    south.go("/console/").sees("proposes the security").picture("change")
    south.link("Decide").click("Approve change").sees("Approved. The new security is in force.")
    north.go(here)
    north.reloads_until("the new security is here", lambda: north.page.get_by_text("restricted").count() > 0)


def verified(north, here):
    north.go(f"{here}/verify").click("Verify now").sees("Both sides have the same").picture("verified")


def closed(north, south, here, there):
    """The end, with what will be lost, in a dialog; the other side learns it."""
    south.go(there).sees("Live")
    north.go(f"{here}/settings").link("Close connection")
    dialog = north.page.get_by_role("dialog")
    dialog.get_by_text("What will be lost").wait_for()
    north.picture("close")
    north.page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    north.link("Close connection")
    dialog.get_by_role("button", name="Close connection").click()
    north.sees("Closed. Its record stays as evidence.").picture("closed")
    south.page.locator(".stage.closed").first.wait_for()


def whole_story(north, south):
    prepared(north, "flights")
    prepared(south, "traffic")
    linked(north, south)
    code = requested(north)
    approved(south, code)
    there = south.connection()
    here = activated(north)
    data_arrives_live(north, south, here, there)
    halted(north, south, here, there)
    widened(north, south, here, there)
    verified(north, here)
    return here, there


def without_scripts(north, south):
    """The handshake again where no script runs: every step by plain forms."""
    north.go("/console/").link("Create a peer request")
    code = requested(north, scripts=False)
    approved(south, code)
    there = south.connection()
    north.reloads_until("the approval is here", lambda: north.page.get_by_text("approved your request").count() > 0)
    here = activated(north)
    south.go(there)
    south.reloads_until("it is active", lambda: south.page.locator(".stage.active").count() > 0)
    shared(north, here)
    shared(south, there)
    south.go(there)
    flows = lambda: south.page.locator("section[aria-labelledby=feeds] .badge.healthy").count() > 0
    south.reloads_until("the data is here", flows)
    files.plain(north, "flights")
    schemas.mapped_plainly(north, here)
    north.go(f"{here}/settings").click("Disable").sees("Disabled.").click("Enable").sees("Enabled.")
    north.link("Close connection").sees("What will be lost").click("Close connection").sees("Closed.")
    south.reloads_until("it is closed", lambda: south.page.locator(".stage.closed").count() > 0)
