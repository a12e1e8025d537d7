// Keeps the part of a page up to date that changes by itself.

import { showTimes } from "./times.js";
import { copyButtons } from "./copy.js";

export function follow() {
  const from = document.querySelector("main[data-live]")?.dataset.live;
  const part = document.getElementById("live-content");
  const state = document.getElementById("live-state");
  if (!from || !part || !state) {
    return;
  }
  let events = null;
  const listen = () => {
    events = new EventSource(from);
    events.addEventListener("open", () => { state.textContent = "Live"; });
    events.addEventListener("error", (event) => {
      const over = event.target.readyState === EventSource.CLOSED;
      state.textContent = over ? "No longer live: reload" : "Connecting again";
    });
    events.addEventListener("content", (event) => replace(part, event.data));
  };
  // A page that nobody sees holds no connection: browsers have few for one host.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      events?.close();
    } else if (!events || events.readyState === EventSource.CLOSED) {
      listen();
    }
  });
  if (!document.hidden) {
    listen();
  }
}

// Nothing is replaced under somebody's hands: while a form has the focus or a text is selected, the news wait.
let waiting;

function replace(part, content) {
  clearTimeout(waiting);
  const selecting = !getSelection().isCollapsed && part.contains(getSelection().anchorNode);
  const typing = part.contains(document.activeElement) && document.activeElement.closest("form");
  if (selecting || typing) {
    waiting = setTimeout(() => replace(part, content), 1000);
    return;
  }
  const said = part.querySelector("[role=status]");
  const focus = focused(part);
  const next = document.createElement("template");
  next.innerHTML = content;
  // A status that says the same is left in place, so that it is not read out again.
  const says = next.content.querySelector("[role=status]");
  if (said && says && said.textContent === says.textContent) {
    says.removeAttribute("role");
  }
  showTimes(next.content);
  const places = scrolled(part);
  part.replaceChildren(next.content);
  for (const [label, left] of places) {
    const box = part.querySelector(`.scroll[aria-label="${CSS.escape(label)}"]`);
    if (box) {
      box.scrollLeft = left;
    }
  }
  copyButtons(part);
  if (focus) {
    part.querySelector(focus)?.focus({ preventScroll: true });
  }
}

// How far tables that scroll in themselves were scrolled.
function scrolled(part) {
  const boxes = [...part.querySelectorAll(".scroll[aria-label]")].filter((box) => box.scrollLeft > 0);
  return boxes.map((box) => [box.getAttribute("aria-label"), box.scrollLeft]);
}

// How what has the focus is found again.
function focused(part) {
  const active = document.activeElement;
  if (!active || !part.contains(active)) {
    return null;
  }
  if (active.id) {
    return `#${CSS.escape(active.id)}`;
  }
  const href = active.getAttribute("href");
  return href ? `a[href="${CSS.escape(href)}"]` : null;
}
