"""What needs a decision: edits of both sides at once, and objects that cannot be taken in."""


def conflict(north, south, here, there):
    """Both sides edit one value while they are apart; the later one counts, and the other is decided on."""
    north.go(f"{here}/settings").click("Disable").sees("Disabled. No data flows")
    south.go(there)
    south.reloads_until("it is halted", lambda: south.page.get_by_text("disabled by the other side").count() > 0)
    north.side.peerctl("object", "edit", "flights", "airport", "LGA", "name=North")
    south.side.peerctl("object", "edit", "traffic", "airport", "LGA", "name=South")
    north.click("Enable").sees("Enabled.")
    north.go(f"{here}/conflicts")
    north.reloads_until("the conflict is here", lambda: north.page.locator(".conflict").count() == 1)
    north.sees("In force").sees("Lost").picture("conflicts").click("Restore what lost").sees("Settled.")
    assert north.page.locator(".conflict").count() == 0
    north.go("/console/objects/flights/airport/object?key=LGA").sees("North")
    south.go("/console/objects/traffic/airport/object?key=LGA")
    south.reloads_until("what was restored came", lambda: south.page.locator("td").get_by_text("North").count() > 0)


def parked(north, south, here, there, directory):
    """Rows of both sides under one key: whose it is already keeps it, and what comes is parked, live."""
    rows = directory / "clash.csv"
    rows.write_text("faa,name,lat,lon\nQQ1,One,1,1\nQQ2,Two,2,2\n")
    north.go(f"{here}/settings").click("Disable").sees("Disabled. No data flows")
    south.go(there)
    south.reloads_until("it is halted", lambda: south.page.get_by_text("disabled by the other side").count() > 0)
    south.side.peerctl("object", "load", "traffic", "airport", str(rows))
    north.side.peerctl("object", "load", "flights", "airport", str(rows))
    south.go(f"{there}/parked").sees("Nothing is parked.").sees("Live")
    north.click("Enable").sees("Enabled.")
    # Nobody reloads.
    south.sees("2 parked.")
    south.page.locator("tbody tr").nth(1).wait_for()
    south.picture("parked").click("Retry").sees("Parked still")
    for left in (1, 0):
        south.page.get_by_role("link", name="Drop").first.click()
        dialog = south.page.get_by_role("dialog")
        dialog.get_by_role("button", name="Drop").click()
        south.sees("Dropped.")
        assert south.page.locator("tbody tr").count() == left
    south.sees("Nothing is parked.")


def whole_story(north, south, here, there):
    conflict(north, south, here, there)
    parked(north, south, here, there, north.side.dir)
