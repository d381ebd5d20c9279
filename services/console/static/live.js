// The pages work without this. With it, a page reads itself anew when the console says that something changed,
// and every fifteen seconds in any case; nothing is replaced while something in it has the focus or is marked.
"use strict";
const EVERY_MS = 15000;
const area = document.getElementById("live");

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "manual" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("live");
    if (!fresh) return;
    const changed = document.getElementById("changed");
    if (changed && area.dataset.version !== fresh.dataset.version) {
      changed.hidden = false;  // what somebody decides on is not changed under their hands
      return;
    }
    if (area.contains(document.activeElement) || String(getSelection()) !== "") return;
    const open = [...area.querySelectorAll("details")].map((one) => one.open);
    fresh.querySelectorAll("details").forEach((one, i) => { if (i < open.length) one.open = open[i]; });
    area.replaceChildren(...fresh.childNodes);
    document.title = page.title;
  } catch {
    // The console is away for a moment: what is shown stays, with the time it was true.
  }
}
if (area) {
  setInterval(refresh, EVERY_MS);
  new EventSource("/live").addEventListener("message", refresh);
}

// Down and up a list by j and k; n takes up the next case; a button's own key moves the focus to it.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  if (typing || event.ctrlKey || event.altKey || event.metaKey) return;
  const next = document.querySelector("a[href='/screening/next']");
  if (event.key === "n" && next) next.click();
  document.querySelector(`[data-key="${CSS.escape(event.key)}"]`)?.focus();
  const links = [...document.querySelectorAll("[data-rows] th a")];
  if (!links.length) return;
  const at = links.indexOf(document.activeElement);
  if (event.key === "j") links[Math.min(at + 1, links.length - 1)].focus();
  else if (event.key === "k") links[Math.max(at - 1, 0)].focus();
});
