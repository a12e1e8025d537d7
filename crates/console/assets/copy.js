// Buttons that copy a text. Without scripts they are hidden, and the text is selected by hand.

export function copyButtons(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    button.textContent = "Copied";
    document.getElementById("notice").textContent = "Copied.";
  } catch {
    // The browser does not let pages copy here: the text is selected, ready to be copied by keyboard.
    if (source.select) {
      source.focus();
      source.select();
    } else {
      getSelection().selectAllChildren(source);
    }
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => { button.textContent = said; }, 4000);
}
