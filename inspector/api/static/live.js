// Keeps the table up to date: fetches it anew while the page is visible, and says when nobody answers.
"use strict";
{
  const PAUSE_MS = 1500;
  const LONGEST_PAUSE_MS = 15000;
  const videos = document.getElementById("videos");
  const connection = document.getElementById("connection");
  let pause = PAUSE_MS;
  let etag = null;

  const visible = () =>
    document.hidden
      ? new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }))
      : Promise.resolve();

  const refresh = async () => {
    const headers = etag ? { "If-None-Match": etag } : {};
    const response = await fetch(videos.dataset.source, { headers, cache: "no-store" });
    if (response.status === 304) return;
    if (response.status === 401) return location.reload(); // leads to the login page
    if (!response.ok) throw new Error(response.statusText);
    etag = response.headers.get("ETag");
    const text = await response.text();
    if (!videos.contains(document.activeElement)) videos.innerHTML = text; // escaped by the server
    else etag = null; // do not take away what someone is about to follow
  };

  const run = async () => {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      await visible();
      try {
        await refresh();
        pause = PAUSE_MS;
        connection.hidden = true;
      } catch {
        pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
        connection.hidden = false;
      }
    }
  };
  run();
}
