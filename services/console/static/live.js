// The page works without this. With it, what is on the page is read anew every few seconds while it is
// looked at; nothing is replaced while something in it has the focus or is marked.
"use strict";
const EVERY_MS = 5000;
const area = document.getElementById("live");

async function refresh() {
  const busy = area.contains(document.activeElement) || String(getSelection()) !== "";
  if (document.hidden || busy) return;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "manual" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("live");
    if (!fresh) return;
    const open = [...area.querySelectorAll("details")].map((one) => one.open);
    fresh.querySelectorAll("details").forEach((one, i) => { if (i < open.length) one.open = open[i]; });
    area.replaceChildren(...fresh.childNodes);
    document.title = page.title;
  } catch {
    // The console is away for a moment: what is shown stays, with the time it was true.
  }
}
if (area) setInterval(refresh, EVERY_MS);
