// Opens some pages in a dialog over the page they are reached from. Their forms are sent as ever.

export function openInDialogs() {
  document.addEventListener("click", (event) => {
    const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey;
    const link = event.target.closest("a[data-dialog]");
    if (link && plain) {
      event.preventDefault();
      open(link);
    }
  });
}

async function open(link) {
  let main;
  try {
    const response = await fetch(link.href, { credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    main = response.ok && !response.redirected ? page.querySelector("main") : null;
  } catch {
    main = null;
  }
  if (!main) {
    location.assign(link.href);
    return;
  }
  show(main, link);
}

function show(main, link) {
  const dialog = document.createElement("dialog");
  main.querySelector("nav.above")?.remove();
  main.querySelector("#notice")?.remove();
  const heading = main.querySelector("h1");
  if (heading) {
    heading.id = "dialog-title";
    dialog.setAttribute("aria-labelledby", heading.id);
  }
  dialog.append(...main.childNodes);
  const cancel = dialog.querySelector("[data-close]") ?? closer(dialog);
  cancel.addEventListener("click", (event) => {
    event.preventDefault();
    dialog.close();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    link.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
}

function closer(dialog) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Cancel";
  dialog.querySelector("form:last-of-type .actions:last-of-type")?.append(" ", button);
  return button;
}
