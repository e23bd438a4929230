// One video: timeline, frames and cuts lead to their places; what cannot be played shows its frames.
"use strict";
{
  const player = document.querySelector(".player");
  const video = player?.querySelector("video");
  const track = document.querySelector("[data-track]");
  const head = track?.querySelector(".head path");

  const seek = (seconds) => {
    video.currentTime = Math.max(0, seconds);
    video.scrollIntoView({ block: "nearest" });
  };

  const draw = () => {
    if (!track || !head) return;
    const from = Number(track.dataset.from);
    const to = Number(track.dataset.to);
    head.setAttribute("d", `M${((video.currentTime - from) / (to - from)) * 1000} 0v1`);
  };

  // An address is signed for some minutes only; the first refusal after that asks for another one.
  let asked = 0;
  const again = () => {
    const at = video.currentTime;
    if (at > 0 && performance.now() - asked > 60000) {
      asked = performance.now();
      video.load();
      video.addEventListener("loadedmetadata", () => seek(at), { once: true });
      return;
    }
    video.hidden = true;
    player.querySelector(".cannot").hidden = false;
  };

  if (video) {
    const cuts = JSON.parse(player.dataset.cuts);
    const frame = 1 / Number(player.dataset.rate);
    video.addEventListener("timeupdate", draw);
    video.addEventListener("seeking", draw);
    video.addEventListener("error", again);
    video.addEventListener("loadedmetadata", () => {
      if (video.videoWidth === 0) again(); // sound alone can be played
    });
    if (video.error) again();
    const KEYS = {
      " ": () => (video.paused ? video.play() : video.pause()),
      ",": () => seek(video.currentTime - frame),
      ".": () => seek(video.currentTime + frame),
      "[": () => seek(cuts.findLast((cut) => cut < video.currentTime - 0.5) ?? 0),
      "]": () => seek(cuts.find((cut) => cut > video.currentTime + 0.01) ?? video.duration),
    };
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
      if (event.target.closest("input, textarea, select, dialog, video") || (event.key === " " && event.target.closest("button, a, summary"))) return;
      event.preventDefault();
      KEYS[event.key]();
    });
    document.addEventListener("click", ({ target }) => {
      const place = target.closest("[data-seek]");
      if (place) seek(Number(place.dataset.seek));
    });
    track?.addEventListener("click", (event) => {
      const box = track.getBoundingClientRect();
      const from = Number(track.dataset.from);
      seek(from + ((event.clientX - box.left) / box.width) * (Number(track.dataset.to) - from));
    });
  }
}
