"""Every page at three widths in both themes: what axe finds, whether it fits, whether the focus is seen."""

from axe_playwright_python.sync_playwright import Axe

WIDTHS = {"phone": 320, "desk": 1280, "wall": 3840}
THEMES = ("light", "dark")

PAGES = [
    "/console/", "/console/?show=ended", "/console/request", "/console/invite", "/console/network",
    "/console/link-code", "/console/link-code/enter", "/console/relay", "/console/control", "/console/policies",
    "/console/policies/propose", "/console/policies/check", "/console/spaces", "/console/principals",
    "/console/security", "/console/audit", "/console/objects", "/console/objects/flights",
    "/console/objects/flights/airport", "/console/objects/flights/airport/object?key=JFK",
    "/console/objects/flights/airport/edit?key=JFK", "/console/objects/flights/airport/create",
    "/console/objects/flights/airport/delete?key=JFK", "/console/ontology/flights", "/console/files", "/console/files/flights", "/console/files/flights?tag=nothing",
    "/console/nothing-here",
]
OF_A_CONNECTION = ["", "/ontology", "/mapping", "/mapping?local=airport&remote=airport", "/files", "/files/unshare", "/conflicts", "/parked", "/settings", "/close", "/verify"]

# How every focusable thing looks with the focus on it: nothing may be without a mark.
UNMARKED = """() => {
  const things = document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']");
  const seen = [];
  for (const thing of things) {
    if (!thing.checkVisibility()) continue;
    thing.focus({ focusVisible: true });
    if (document.activeElement !== thing) continue;
    const rect = thing.querySelector("rect");
    const style = getComputedStyle(thing);
    const marked = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2)
      || (rect && parseFloat(getComputedStyle(rect).strokeWidth) >= 3);
    if (!marked) seen.push(thing.outerHTML.slice(0, 120));
  }
  return seen;
}"""


def checked(operator, connection):
    """Goes through all pages. A page that is not there is checked as such."""
    page, axe, problems = operator.page, Axe(), []
    for path in PAGES + [connection + below for below in OF_A_CONNECTION]:
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            for name, width in WIDTHS.items():
                page.set_viewport_size({"width": width, "height": 900})
                page.goto(path)
                where = f"{path} {theme} {name}"
                problems += [f"{where}: {found}" for found in of_page(page, axe)]
                shot = path.strip("/").replace("/", "_").replace("?", "_").replace("=", "_") or "home"
                shot = shot.replace(connection.strip("/").replace("/", "_"), "connection")
                page.screenshot(path=operator.output / "pages" / f"{shot}-{name}-{theme}.png", full_page=True)
        problems += [f"{path}: no mark of the focus: {thing}" for thing in page.evaluate(UNMARKED)]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})
    # A page that is not there is a failed load to the browser.
    operator.complaints = [said for said in operator.complaints if "404" not in said]
    assert not problems, "\n".join(problems)


def of_page(page, axe):
    found = []
    for violation in axe.run(page).response["violations"]:
        targets = ", ".join(str(node["target"]) for node in violation["nodes"][:3])
        found.append(f"{violation['id']}: {violation['help']}: {targets}")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if wide > 0:
        found.append(f"scrolls sideways by {wide} pixels")
    return found


def keyboard_only(operator):
    """Signing in, skipping to the content and opening a page, with nothing but keys."""
    page = operator.page
    page.goto("/console/sign-in")
    page.keyboard.type(operator.side.token)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip", "the first stop skips to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Create a peer request"


def in_the_viewers_zone(operator):
    """A time is shown as the viewer's clock has it, and the exact one in UTC on hover."""
    time = operator.go("/console/audit").page.locator("tbody time").first
    assert time.get_attribute("title").endswith("Z")
    assert "UTC" not in time.inner_text()
