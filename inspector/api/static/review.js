// Reviewing by keyboard: one card is in front; what is decided makes room for the next one.
"use strict";
{
  const cards = () => [...document.querySelectorAll("[data-card]")];
  let at = 0;

  const front = () => cards()[at];

  const show = (index) => {
    const all = cards();
    at = Math.min(Math.max(index, 0), all.length - 1);
    for (const card of all) card.classList.toggle("front", card === all[at]);
    front()?.focus({ preventScroll: true });
    front()?.scrollIntoView({ block: "nearest" });
  };

  const keep = (by) => {
    const radios = [...(front()?.querySelectorAll("input[type=radio]") ?? [])];
    const now = radios.findIndex((radio) => radio.checked);
    const next = radios[Math.min(Math.max(now + by, 0), radios.length - 1)];
    if (next) next.checked = true;
  };

  const count = () => {
    const boxes = [...document.querySelectorAll("input[name=subject]")];
    const picked = boxes.filter((box) => box.checked).length;
    const said = document.getElementById("picked");
    if (said) said.textContent = `${picked} selected`;
    for (const button of document.querySelectorAll("button[name=bulk]")) button.disabled = picked === 0;
    const all = document.getElementById("all");
    if (all) all.checked = picked > 0 && picked === boxes.length;
  };

  const pick = (boxes, on) => {
    for (const box of boxes) box.checked = on ?? !box.checked;
    count();
  };

  const press = (key) => front()?.querySelector(`button[data-key=${key}]`)?.click();

  const KEYS = {
    j: () => show(at + 1),
    k: () => show(at - 1),
    ArrowLeft: () => keep(-1),
    ArrowRight: () => keep(1),
    d: () => press("d"),
    n: () => press("n"),
    b: () => press("b"),
    m: () => press("m"),
    u: () => document.getElementById("undo")?.click(),
    x: () => pick(front()?.querySelectorAll("input[name=subject]") ?? []),
    a: () => pick(document.querySelectorAll("input[name=subject]"), true),
    c: () => front()?.querySelector("a.compare")?.click(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
    if (event.target.closest("dialog, input[type=text], input[type=search]")) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  document.addEventListener("change", ({ target }) => {
    if (target.id === "all") pick(document.querySelectorAll("input[name=subject]"), target.checked);
    else if (target.name === "subject") count();
  });

  document.addEventListener("focusin", ({ target }) => {
    const index = cards().indexOf(target.closest("[data-card]"));
    if (index >= 0 && index !== at) {
      at = index;
      for (const card of cards()) card.classList.toggle("front", card === front());
    }
  });

  document.addEventListener("htmx:afterSettle", () => {
    show(at);
    count();
  });

  show(0);
  count();
}
