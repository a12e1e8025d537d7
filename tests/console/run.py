"""The console in a real browser. Usage: run.py DIRECTORY-OF-BINARIES DIRECTORY-FOR-PICTURES"""

import pathlib
import shutil
import sys
import tempfile

from playwright.sync_api import sync_playwright

import files
import pages
import schemas
import story
import troubles
from world import SAMPLES, Enrollment, Operator

BINARIES, OUTPUT = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()


def signed_in(browser, side, **context):
    operator = Operator(browser, side, OUTPUT, **context)
    operator.samples = SAMPLES
    operator.sign_in()
    return operator


def revoked(browser, north, side):
    """A principal whose token is revoked is signed out at once, and one that may not is refused."""
    north.go("/console/principals").fill("Name", "vera").choose("Role", "viewer").choose("Space", "flights")
    north.click("Create principal").sees("It is shown this once.")
    token = north.code()
    viewer = Operator(browser, side, OUTPUT)
    viewer.sign_in(token)
    viewer.go("/console/audit").sees("Not allowed").sees("ROLE_INSUFFICIENT")
    viewer.go("/console/").sees("Live").picture("viewer")
    assert viewer.page.get_by_role("link", name="Create a peer request").count() == 0
    north.go("/console/principals").link("Revoke vera", exact=False)
    north.page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    north.sees("vera is revoked.")
    viewer.page.reload()
    viewer.page.get_by_label("Token").wait_for()
    # The refusals were asked for.
    viewer.complaints = [said for said in viewer.complaints if "403" not in said and "401" not in said]
    viewer.complaints = [said for said in viewer.complaints if "MIME type" not in said and "EventSource" not in said]
    viewer.close()


def over_tls(playwright, root):
    """Under a certificate of the operator's own making the cookie never leaves TLS."""
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    side = Enrollment(BINARIES, root, "west", tls=True)
    try:
        operator = signed_in(browser, side, ignore_https_errors=True)
        cookie = next(one for one in operator.context.cookies() if "session" in one["name"])
        assert cookie["secure"] and cookie["httpOnly"] and cookie["sameSite"] == "Strict", cookie
        assert cookie["name"].startswith("__Host-"), cookie
        operator.go("/console/").sees("There is no connection yet.").sees("Live").picture("first-page")
        operator.go("/console/spaces").fill("Name", "main").click("Create space").sees("The space main is made.")
        files.plain(operator, "main")
        operator.close()
    finally:
        side.stop()
        browser.close()


def main():
    shutil.rmtree(OUTPUT, ignore_errors=True)
    (OUTPUT / "pages").mkdir(parents=True)
    with tempfile.TemporaryDirectory() as root, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        sides = [Enrollment(BINARIES, root, name) for name in ("north", "south")]
        operators = []
        try:
            operators = north, south = [signed_in(browser, side) for side in sides]
            here, there = story.whole_story(north, south)
            files.whole_story(browser, north, south, here, there, OUTPUT)
            schemas.grown(south, "traffic")
            schemas.mapped(north, south, here, there)
            troubles.whole_story(north, south, here, there)
            revoked(browser, north, sides[0])
            pages.in_the_viewers_zone(north)
            pages.checked(north, here)
            stranger = Operator(browser, sides[0], OUTPUT)
            pages.keyboard_only(stranger)
            stranger.close()
            story.closed(north, south, here, there)
            plain = [signed_in(browser, side, scripts=False) for side in sides]
            story.without_scripts(*plain)
            for operator in (north, south, *plain):
                operator.close()
        except BaseException:
            for operator in operators:
                operator.picture("where-it-failed")
                print(operator.page.url, operator.page.locator("main").inner_text()[:500], operator.complaints)
            raise
        finally:
            for side in sides:
                side.stop()
            browser.close()
        over_tls(playwright, root)
    print(f"the console works; pictures are in {OUTPUT}")


main()
