"""Types by the console: an ontology with its preview, a mapping with its checks, and what drifts apart."""

import re

FIELD = """
  - name: field
    title: Landing field
    primary_key: code
    properties:
      code: string
      label: string
      height: {type: string, nullable: true}
"""


def ontology(operator, space, text):
    """Applies an ontology by the form, after a look at what it would change."""
    operator.go(f"/console/ontology/{space}").fill("YAML", text).click("Preview").sees("This file can be applied")
    operator.picture("ontology-preview")
    operator.click("Apply").sees("Applied: revision")


def grown(operator, space):
    """Another type, and a file that would take one away."""
    text = (operator.samples / "flights.yaml").read_text()
    ontology(operator, space, text.rstrip("\n") + FIELD)
    operator.picture("space-ontology")
    operator.fill("YAML", text).click("Preview").sees("This file is refused").sees("object type field cannot be removed")
    operator.picture("ontology-refused")
    assert operator.page.get_by_role("button", name="Apply", exact=True).count() == 0


def mapped_plainly(operator, connection):
    """The editor of a pair of equal names, where no script runs: a check, and nothing saved."""
    operator.go(f"{connection}/mapping?local=airport&remote=airport").sees("Create a mapping")
    operator.page.locator("[id='to.tzone']").select_option("")
    operator.click("Check types").sees("The types fit. Nothing is saved yet.")
    assert operator.page.locator("[id='to.tzone']").input_value() == ""
    operator.picture("mapping")


def mapped(north, south, here, there):
    """South shares a type of another name; North maps its own to it, row by row."""
    south.go(f"{there}/ontology").page.get_by_label("Landing field", exact=False).check()
    south.click("Share").sees("Shared: field.")
    north.go(f"{here}/ontology")
    north.reloads_until("their type is here", lambda: north.page.get_by_role("link", name="Map", exact=True).count() > 0)
    north.picture("unmapped").link("Map", exact=True).choose("Type here", "airline").click("Next")
    north.sees("Create a mapping").sees("the primary keys must be mapped to each other").picture("mapping-new")
    north.page.locator("[id='to.carrier']").select_option("code")
    north.page.locator("[id='to.name']").select_option("height")
    north.choose("Source data", "export").click("Check types").picture("mapping-wrong")
    north.page.locator("[id='to.name']").select_option("label")
    north.click("Check types").sees("The types fit. Nothing is saved yet.").picture("mapping-right")
    north.click("Save mapping").sees("airline is mapped to field.").picture("mapped")
    north.link("Edit mapping").sees("Edit the mapping")
    assert north.page.locator("[id='to.name']").input_value() == "label"
    north.go(f"{here}/ontology").link("Delete mapping")
    dialog = north.page.get_by_role("dialog")
    dialog.get_by_text("What will be lost").wait_for()
    north.picture("delete-mapping")
    dialog.get_by_role("button", name="Delete mapping").click()
    north.sees("The mapping of airline is gone.")
    south.go(f"{there}/unshare/field").click("Unshare").sees("field is shared no more.")
    assert re.search("/ontology$", south.page.url)
