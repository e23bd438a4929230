// What every page does: parts marked `data-live` ask for themselves again, and keys lead to places.
"use strict";
{
  const PAUSES_MS = { soon: 1500, later: 3000 };
  const LONGEST_PAUSE_MS = 30000;
  const connection = document.getElementById("connection");
  let failures = 0;

  // ------------------------------------------------------------ parts that stay up to date

  const live = () => document.querySelector("[data-live]:not([data-live=no])");

  const pause = () => Math.min((PAUSES_MS[live()?.dataset.live] ?? PAUSES_MS.later) * 2 ** failures, LONGEST_PAUSE_MS);

  const visible = () =>
    document.hidden
      ? new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }))
      : Promise.resolve();

  const run = async () => {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, pause()));
      await visible();
      const part = live();
      if (part && !document.querySelector("dialog[open]")) htmx.trigger(part, "refresh");
    }
  };

  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.xhr.status === 401) location.reload(); // leads to the login page
    failures = detail.successful ? 0 : failures + 1;
    if (connection) connection.hidden = failures === 0;
  });

  // A part that was asked for before somebody searched on must not come after what they searched for.
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const asked = detail.requestConfig.elt;
    if (asked.dataset?.live && !asked.isConnected) detail.shouldSwap = false;
  });

  if (window.htmx) run();

  // ------------------------------------------------------------ keys

  const PLACES = { l: "/", r: "/review", s: "/system" };
  let before = "";

  const typing = (target) => target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");

  const rows = () => [...document.querySelectorAll(".videos tbody tr")];

  const step = (by) => {
    const all = rows();
    const at = all.findIndex((row) => row.contains(document.activeElement));
    const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
    next?.querySelector("a").focus();
    next?.scrollIntoView({ block: "nearest" });
  };

  const open = (selector) => {
    const link = document.activeElement?.closest("tr")?.querySelector(selector);
    if (link) location.assign(link.href);
  };

  const dialog = (id) => document.getElementById(id)?.showModal();

  const ACTIONS = {
    j: () => step(1),
    k: () => step(-1),
    c: () => open("a.share"),
    "/": () => document.querySelector("input[type=search]")?.focus(),
    "?": () => dialog("keys"),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    const place = before === "g" ? PLACES[event.key] : null;
    before = event.key;
    if (place) location.assign(place);
    else if (ACTIONS[event.key]) ACTIONS[event.key]();
    else return;
    event.preventDefault();
  });

  document.addEventListener("click", ({ target }) => {
    const id = target.closest("[data-opens]")?.dataset.opens;
    if (id) dialog(id);
  });
}
