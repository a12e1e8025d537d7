"""Files by the console: up by a form, over a connection, down byte by byte, and hidden from whoever may not see them."""

import hashlib
import os
import pathlib
import re

from playwright.sync_api import expect

from world import Operator, tagged_file

HOSTILE = "../../etc/<b>pass\u202ewd</b>.exe"


def upload(operator, space, path, name="", tags="", marking=None):
    """Puts a file by the form; leaves the operator on its page."""
    operator.go(f"/console/files/{space}").fill("Name", name).fill("Tags", tags)
    if marking:
        operator.page.locator("#upload").get_by_label(marking).check()
    operator.page.get_by_label("File", exact=True).set_input_files(path)
    operator.click("Upload").sees("Uploaded. Its BLAKE3 is")
    return re.search(r"/console/files/[^?#]+", operator.page.url).group()


def download(operator, path):
    """Takes a file; its bytes and the name that it is saved under."""
    operator.go(path)
    with operator.page.expect_download() as began:
        operator.page.get_by_role("link", name="Download", exact=True).click()
    saved = began.value
    return pathlib.Path(saved.path()).read_bytes(), saved.suggested_filename


def crossing(north, south, here, there):
    """A file goes over by its tag, is seen on its way without a reload, and is the same at the other side."""
    content = os.urandom(20_000_000)
    path = tagged_file(north.side.dir, content)
    south.go(f"{there}/files").sees("The other side shares no files so far.").sees("Live").picture("files-none")
    north.go(f"{here}/files").sees("No file goes out").page.get_by_label("Those with one of these tags").check()
    north.fill("Tags", "chart").click("Share").sees("Shared: with tag chart.")
    upload(north, "flights", path, name="approach charts.bin", tags="chart\npublic")
    north.picture("file")
    north.go(f"{here}/files").sees("Live")
    north.page.locator("section[aria-labelledby=way-out] .badge.healthy").wait_for()
    north.picture("files-of-connection")
    # Nobody reloads at South.
    south.page.locator("section[aria-labelledby=way-in] .badge.healthy").wait_for()
    south.picture("files-of-connection")
    south.go("/console/files/traffic").sees("imported")
    south.reloads_until("the content is here", lambda: south.page.locator("td .badge.healthy").count() == 1)
    south.picture("files").link("approach charts.bin")
    came, name = download(south, south.page.url)
    assert hashlib.sha256(came).digest() == hashlib.sha256(content).digest(), "the same bytes"
    assert name == "approach charts.bin", name


def hostile(north):
    """A name that would leave its place is shown as what it is, and saved as one file."""
    path = tagged_file(north.side.dir, b"<script>alert(1)</script>")
    at = upload(north, "flights", path, name=HOSTILE)
    north.sees("U+202E").picture("hostile-name")
    came, name = download(north, at)
    assert came == b"<script>alert(1)</script>"
    assert not set("/\\<>\u202e") & set(name) and not name.startswith("."), name
    answer = north.context.request.get(f"{at}/content")
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    north.go(at).link("Delete")
    dialog = north.page.get_by_role("dialog")
    dialog.get_by_text("What will be lost").wait_for()
    north.picture("delete-file")
    dialog.get_by_role("button", name="Delete").click()
    north.sees("Deleted.")


def changed(north):
    """Tags, name, other content and the one before."""
    first, second = (tagged_file(north.side.dir, text) for text in (b"first", b"second"))
    at = upload(north, "flights", first, name="note.txt")
    north.page.locator("form[action$='/tags'] textarea").fill("draft\npublic")
    north.click("Set tags").sees("The tags are set.")
    north.page.locator("form[action$='/name'] input[name=name]").fill("notes.txt")
    north.click("Rename").sees("Renamed.")
    north.page.locator("form[action$='/replace'] input[type=file]").set_input_files(second)
    north.click("Replace").sees("Replaced.")
    assert download(north, at)[0] == b"second"
    north.click("Restore").sees("Restored.")
    assert download(north, at) == (b"first", "notes.txt")
    north.go("/console/files/flights?tag=draft").sees("notes.txt")


def denied(browser, north, output):
    """What carries a marking that a viewer is no member of is not there for them, by whatever address."""
    path = tagged_file(north.side.dir, b"secret")
    # Whoever marks what they upload beyond what they may see does not see it: neither an error nor a file.
    north.go("/console/files/flights").page.locator("#upload").get_by_label("medical").check()
    north.page.get_by_label("File", exact=True).set_input_files(path)
    north.click("Upload").sees("Uploaded. Its BLAKE3 is").sees("Files of flights")
    north.side.peerctl("marking", "grant", "medical", "admin")
    hidden = upload(north, "flights", path, name="hidden.bin", marking="medical")
    north.go("/console/principals").fill("Name", "nora").choose("Role", "viewer").choose("Space", "flights")
    north.click("Create principal").sees("It is shown this once.")
    viewer = Operator(browser, north.side, output)
    viewer.sign_in(north.code())
    viewer.go("/console/files/flights").sees("notes.txt").picture("viewer-files")
    assert viewer.page.get_by_text("hidden.bin").count() == 0
    assert viewer.page.get_by_text("Upload").count() == 0
    viewer.go(hidden).sees("Not found")
    assert viewer.context.request.get(f"{hidden}/content").status == 404
    for below in ("tags", "name", "restore", "security", "delete", "replace"):
        answer = viewer.context.request.post(f"{hidden}/{below}", form={"form_token": "0"})
        assert answer.status in (400, 403, 404), (below, answer.status)
    viewer.complaints = [said for said in viewer.complaints if "404" not in said]
    viewer.close()


def streamed(north):
    """However large a file is, the daemon does not hold it in memory."""
    def most():
        status = pathlib.Path(f"/proc/{north.side.daemon.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) // 1024
    path = north.side.dir / "large.bin"
    size = 300_000_000
    with open(path, "wb") as file:
        file.truncate(size)
    before = most()
    at = upload(north, "flights", path, name="large.bin")
    came, _ = download(north, at)
    assert len(came) == size
    grown = most() - before
    assert grown < 100, f"{grown} MiB more memory for a file of {size // 1_000_000} MB"
    path.unlink()
    north.go(at).link("Delete")
    north.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    north.sees("Deleted.")


def plain(operator, space):
    """Up and down where no script runs."""
    path = tagged_file(operator.side.dir, b"plain bytes")
    at = upload(operator, space, path, name="plain.bin", tags="plain")
    operator.picture("file")
    assert download(operator, at) == (b"plain bytes", "plain.bin")
    operator.go(at).link("Delete").sees("What will be lost").click("Delete").sees("Deleted.")


def whole_story(browser, north, south, here, there, output):
    crossing(north, south, here, there)
    hostile(north)
    changed(north)
    denied(browser, north, output)
    streamed(north)
    south.go(f"{there}/files")
    expect(south.page.locator("section[aria-labelledby=way-in] .badge.healthy")).to_be_visible()
