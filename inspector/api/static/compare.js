// Two videos that run as one: the first one leads, the second follows along the matching stretches.
"use strict";
{
  const stage = document.querySelector(".stage");
  const [one, two] = stage.querySelectorAll("video");
  const { segments, lengths, rate } = JSON.parse(stage.dataset.track);
  const clock = stage.querySelector("[data-clock]");
  const playButton = stage.querySelector("[data-do=play]");
  const CLOSE_S = 0.04; // about a frame: no eye sees it
  const FAR_S = 0.5; // farther off a jump is quicker than a chase
  const BLINK_MS = 400;

  // ------------------------------------------------------------ which second lies on which

  const nearest = (at) =>
    segments.reduce((best, each) => {
      const away = ([start, end]) => Math.max(start - at, at - end, 0);
      return best === null || away(each) < away(best) ? each : best;
    }, null);

  const there = (at) => {
    const segment = nearest(at);
    if (segment === null) return { at, speed: 1 };
    const [start, end, otherStart, otherEnd] = segment;
    const speed = (otherEnd - otherStart) / Math.max(end - start, 1e-6);
    return { at: Math.min(Math.max(otherStart + (at - start) * speed, 0), lengths[1]), speed };
  };

  const follow = () => {
    const wanted = there(one.currentTime);
    const late = wanted.at - two.currentTime;
    if (one.paused || Math.abs(late) > FAR_S) {
      if (Math.abs(late) > 0.001 && !two.seeking) two.currentTime = wanted.at;
    }
    const hurry = Math.abs(late) < CLOSE_S ? 0 : Math.max(-0.25, Math.min(0.25, late));
    two.playbackRate = Math.min(Math.max(wanted.speed * one.playbackRate + hurry, 0.1), 8);
  };

  // ------------------------------------------------------------ what is shown

  const said = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;

  const draw = () => {
    const text = `${said(one.currentTime)} | ${said(two.currentTime)}`;
    if (clock.value !== text) clock.value = text;
    for (const track of document.querySelectorAll("[data-seeks]")) {
      const from = Number(track.dataset.from);
      const x = ((one.currentTime - from) / (Number(track.dataset.to) - from)) * 1000;
      const below = ((two.currentTime - from) / (Number(track.dataset.to) - from)) * 1000;
      const inside = x >= 0 && x <= 1000;
      const line = track.querySelector(".ribbons") ? `M${x} 0v.2L${below} .8v.2` : `M${x} 0v1`;
      track.querySelector(".head path").setAttribute("d", inside ? line : "");
    }
    playButton.textContent = one.paused ? "Play" : "Pause";
  };

  const tick = () => {
    follow();
    draw();
    requestAnimationFrame(tick);
  };

  let blinking = 0;
  const show = (view) => {
    stage.dataset.view = view;
    clearInterval(blinking);
    delete stage.dataset.blink;
    if (view === "blink") {
      stage.dataset.blink = "one";
      blinking = setInterval(() => (stage.dataset.blink = stage.dataset.blink === "one" ? "two" : "one"), BLINK_MS);
    }
    for (const button of stage.querySelectorAll("button[data-view]")) {
      button.setAttribute("aria-pressed", String(button.dataset.view === view));
    }
  };

  const cannot = (video) => {
    const side = video.closest(".side");
    video.hidden = true;
    side.querySelector(".cannot").hidden = false;
    const strip = side.querySelector(".strip");
    if (strip) strip.hidden = false;
  };

  // ------------------------------------------------------------ what one can do

  const seek = (at) => {
    one.currentTime = Math.min(Math.max(at, 0), lengths[0]);
    two.currentTime = there(one.currentTime).at;
  };

  const play = async () => {
    if (!one.paused) {
      one.pause();
      two.pause();
      return;
    }
    two.currentTime = there(one.currentTime).at;
    await Promise.allSettled([one.play(), two.play()]);
  };

  const pressed = (name, on) => stage.querySelector(`[data-do=${name}]`).setAttribute("aria-pressed", String(on));

  const mirror = () => pressed("mirror", stage.classList.toggle("flipped"));

  const mute = () => {
    one.muted = !one.muted;
    pressed("mute", one.muted);
  };

  const starts = segments.map(([start]) => start);
  const DEEDS = { play, mirror, mute, back: () => seek(one.currentTime - 1 / rate), forward: () => seek(one.currentTime + 1 / rate) };
  const KEYS = {
    " ": play,
    ",": DEEDS.back,
    ".": DEEDS.forward,
    "[": () => seek(starts.findLast((start) => start < one.currentTime - 0.5) ?? starts[0] ?? 0),
    "]": () => seek(starts.find((start) => start > one.currentTime + 0.01) ?? one.currentTime),
    1: () => show("side"),
    2: () => show("difference"),
    3: () => show("blink"),
    m: mirror,
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
    if (event.target.closest("input, textarea, select, dialog") || (event.key === " " && event.target.closest("button, a, summary"))) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const track = event.target.closest("[data-seeks]");
    if (button?.dataset.do) DEEDS[button.dataset.do]();
    else if (button?.dataset.view) show(button.dataset.view);
    else if (button?.dataset.seek) {
      seek(Number(button.dataset.seek));
      stage.scrollIntoView({ block: "nearest" });
      if (one.paused) play();
    } else if (track) {
      const box = track.getBoundingClientRect();
      const from = Number(track.dataset.from);
      seek(from + ((event.clientX - box.left) / box.width) * (Number(track.dataset.to) - from));
    }
  });

  for (const video of [one, two]) {
    video.addEventListener("error", () => cannot(video));
    video.addEventListener("loadedmetadata", () => {
      if (video.videoWidth === 0) cannot(video);
    });
    if (video.error) cannot(video);
  }
  one.addEventListener("ended", () => two.pause());
  one.addEventListener("loadedmetadata", () => seek(segments[0]?.[0] ?? 0), { once: true });
  two.addEventListener("loadedmetadata", () => seek(one.currentTime), { once: true });
  if ("mirrored" in stage.dataset) mirror();
  requestAnimationFrame(tick);
}
