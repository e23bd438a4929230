// Keys that every page knows: to other pages, from row to row, and to the list of keys.
"use strict";
{
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
