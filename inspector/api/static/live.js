// The part of a page that is marked `data-live` asks for itself again when the stream of changes says so.
//
// While the stream is down, or none is to be had, it asks by itself, ever more slowly where nobody answers.
// `data-live`: `soon` while something is in work, else `later`; `no` for what is final.
// `data-key`: only changes of this video matter.  `data-every`: so many seconds are the longest without asking.
"use strict";
{
  const POLL_MS = { soon: 3000, later: 10000 };
  const LONGEST_MS = 60000;
  const LEAST_MS = 1000; // between two answers, however much changes
  const SHARE = 4; // and so many times as long as the last one took: a slow server is asked less
  const AFTER_MS = 2500; // pictures and estimates follow a change without a word of their own,
  const AFTERGLOW_MS = 15000; // for so long
  const AGAIN_MS = 60000; // until a stream that was refused is asked for again

  const connection = document.getElementById("connection");
  const part = () => document.querySelector("[data-live]:not([data-live=no])");

  let stream = null;
  let refusedAt = -Infinity;
  let failures = 0;
  let unseen = false; // something has changed since the last answer
  let changedAt = -Infinity;
  let askedAt = performance.now();
  let tookMs = 0;
  let timer = 0;

  // ------------------------------------------------------------ when to ask

  const told = () => stream?.readyState === EventSource.OPEN;

  const pauseMs = (live) => {
    if (failures) return Math.min(LEAST_MS * 2 ** failures, LONGEST_MS);
    if (unseen) return Math.min(Math.max(LEAST_MS, SHARE * tookMs), LONGEST_MS);
    if (performance.now() - changedAt < AFTERGLOW_MS) return AFTER_MS;
    return told() ? 1000 * (live.dataset.every ?? LONGEST_MS / 1000) : POLL_MS[live.dataset.live];
  };

  const plan = () => {
    clearTimeout(timer);
    const live = part();
    if (!live || document.hidden) return;
    timer = setTimeout(ask, Math.max(askedAt + pauseMs(live) - performance.now(), 0));
  };

  const ask = () => {
    listen();
    askedAt = performance.now();
    if (document.querySelector("dialog[open]")) return plan();
    unseen = false;
    htmx.trigger(part(), "refresh");
  };

  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.xhr.status === 401) location.reload(); // leads to the login page
    failures = detail.successful ? 0 : failures + 1;
    if (connection) connection.hidden = failures === 0;
    if (detail.requestConfig.elt.dataset?.live) tookMs = performance.now() - askedAt;
    plan();
  });
  document.addEventListener("htmx:afterSettle", plan);

  // A part that was asked for before somebody searched on must not come after what they searched for.
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const asked = detail.requestConfig.elt;
    if (asked.dataset?.live && !asked.isConnected) detail.shouldSwap = false;
  });

  // ------------------------------------------------------------ who tells

  const change = () => {
    unseen = true;
    changedAt = performance.now();
    plan();
  };

  // A stream takes one of the few connections that a browser opens to a host, so only pages in sight hold one.
  const listen = () => {
    const live = part();
    if (stream || !live || document.hidden || performance.now() - refusedAt < AGAIN_MS) return;
    const key = live.dataset.key;
    stream = new EventSource(key === undefined ? "/events" : `/events?prefix=${encodeURIComponent(key)}`);
    stream.addEventListener("open", () => {
      failures = 0;
      change(); // between the page and the stream, for all we know
    });
    stream.addEventListener("reset", change);
    stream.addEventListener("change", ({ data }) => {
      if (key === undefined || JSON.parse(data).key === key) change();
    });
    stream.addEventListener("error", () => {
      if (stream?.readyState === EventSource.CLOSED) {
        refusedAt = performance.now();
        stream = null;
      }
      plan();
    });
  };

  const leave = () => {
    stream?.close();
    stream = null;
    clearTimeout(timer);
  };

  const come = () => {
    listen();
    plan();
  };

  if (window.htmx) {
    document.addEventListener("visibilitychange", () => (document.hidden ? leave() : come()));
    addEventListener("pagehide", leave);
    addEventListener("pageshow", come);
    if (part()?.dataset.live === "soon") changedAt = askedAt;
  }
}
