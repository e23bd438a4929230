// Uploads: dropped or chosen files go straight to the bucket, a few at a time, each with its progress.
"use strict";
{
  const FILES_AT_ONCE = 3;
  const PARTS_AT_ONCE = 2;
  const TRIES = 4;
  const PAUSE_MS = 1000; // doubled with each try
  const API = "/api/v1/uploads";

  const board = document.getElementById("uploads");
  const list = board.querySelector("ol");
  const template = board.querySelector("template");
  const summary = board.querySelector("[role=status]");
  const chooser = document.getElementById("files");
  const veil = document.getElementById("drop");
  const waiting = [];
  const rows = new Set();
  let running = 0;

  class Refused extends Error {} // trying again would not help
  class Conflict extends Refused {}

  const size = (bytes) => {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let unit = 0;
    for (; bytes >= 999.5 && unit < units.length - 1; unit += 1) bytes /= 1000;
    return `${unit && bytes < 100 ? bytes.toPrecision(3) : Math.round(bytes)} ${units[unit]}`;
  };

  // ------------------------------------------------------------ asking and sending

  const ask = async (method, address, body, signal) => {
    const headers = body ? { "Content-Type": "application/json" } : {};
    const response = await fetch(address, { method, headers, body: body && JSON.stringify(body), signal });
    const said = response.status === 204 ? {} : await response.json().catch(() => ({}));
    if (response.ok) return said;
    if (response.status === 409) throw new Conflict(said.detail);
    if (response.status < 500 && response.status !== 429) throw new Refused(said.detail ?? response.statusText);
    throw new Error(said.detail ?? response.statusText);
  };

  const put = (address, body, headers, signal, onSent) =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("PUT", address);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      request.upload.onprogress = ({ loaded }) => onSent(loaded);
      request.onload = () =>
        request.status < 300 ? resolve() : reject(new Error(`the bucket answered ${request.status}`));
      request.onerror = () => reject(new Error("the bucket cannot be reached"));
      request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
      signal.addEventListener("abort", () => request.abort(), { once: true });
      request.send(body);
    });

  const patiently = async (task, signal) => {
    for (let n = 1; ; n += 1) {
      try {
        return await task();
      } catch (error) {
        if (error instanceof Refused || signal.aborted || n === TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * 2 ** (n - 1)));
      }
    }
  };

  // ------------------------------------------------------------ one file

  const sendParts = async (row, parts, signal) => {
    const { part_bytes: partBytes, part_count: count, links } = parts;
    row.open = links.self;
    const sent = new Array(count).fill(0);
    const numbers = Array.from({ length: count }, (_, n) => n + 1);
    const work = async () => {
      for (let number = numbers.shift(); number; number = numbers.shift()) {
        const piece = row.file.slice((number - 1) * partBytes, number * partBytes);
        await patiently(async () => {
          const signed = await ask("POST", links.parts, { part_numbers: [number] }, signal);
          await put(signed.parts[0].url, piece, {}, signal, (bytes) => {
            sent[number - 1] = bytes;
            row.progress(sent.reduce((sum, each) => sum + each, 0));
          });
        }, signal);
      }
    };
    await Promise.all(Array.from({ length: PARTS_AT_ONCE }, work));
    await patiently(() => ask("POST", links.completion, undefined, signal), signal);
    row.open = null;
  };

  const send = async (row, overwrite) => {
    const { file, key, abort } = row;
    const wanted = { key, size_bytes: file.size, content_type: file.type || "application/octet-stream", overwrite };
    const begun = await patiently(() => ask("POST", API, wanted, abort.signal), abort.signal);
    if (begun.parts) await sendParts(row, begun.parts, abort.signal);
    else {
      const whole = () => put(begun.url, file, begun.headers, abort.signal, (bytes) => row.progress(bytes));
      await patiently(whole, abort.signal);
    }
  };

  class Row {
    constructor(file) {
      this.file = file;
      this.key = board.dataset.prefix + file.name;
      this.item = template.content.cloneNode(true).firstElementChild;
      this.item.querySelector(".name").textContent = this.key;
      this.part("cancel").addEventListener("click", () => this.cancel());
      this.part("replace").addEventListener("click", () => enqueue(this, true));
      list.append(this.item);
      rows.add(this);
    }

    part(name) {
      return this.item.querySelector(`[data-part=${name}]`);
    }

    say(state, note) {
      this.state = state;
      this.item.dataset.state = state;
      this.part("note").textContent = note;
      this.part("cancel").hidden = !["waiting", "sending"].includes(state);
      this.part("replace").hidden = state !== "conflict";
      this.part("open").hidden = state !== "done";
      tell();
    }

    progress(bytes) {
      const share = this.file.size ? Math.min(bytes / this.file.size, 1) : 1;
      this.item.querySelector("progress").value = share;
      this.part("note").textContent = `${Math.floor(share * 100)} % of ${size(this.file.size)}`;
    }

    cancel() {
      this.abort.abort();
      if (this.open) ask("DELETE", this.open).catch(() => {});
      this.say("cancelled", "cancelled");
    }

    async run(overwrite) {
      if (this.abort.signal.aborted) return;
      this.say("sending", `0 % of ${size(this.file.size)}`);
      try {
        await send(this, overwrite);
        this.progress(this.file.size);
        const link = this.part("open");
        link.href = `/video?key=${encodeURIComponent(this.key)}`;
        this.say("done", `${size(this.file.size)} uploaded`);
        htmx.trigger("#library", "refresh");
      } catch (error) {
        if (this.abort.signal.aborted) return;
        if (error instanceof Conflict) this.say("conflict", "A video of this name is here already.");
        else this.say("failed", error.message);
      }
    }
  }

  // ------------------------------------------------------------ many files

  const pump = () => {
    while (running < FILES_AT_ONCE && waiting.length) {
      const [row, overwrite] = waiting.shift();
      running += 1;
      row.run(overwrite).finally(() => {
        running -= 1;
        pump();
      });
    }
    tell();
  };

  const enqueue = (row, overwrite = false) => {
    row.abort = new AbortController();
    row.say("waiting", "waits");
    waiting.push([row, overwrite]);
    pump();
  };

  const tell = () => {
    const count = (...states) => [...rows].filter((row) => states.includes(row.state)).length;
    const left = count("waiting", "sending");
    const wrong = count("failed", "conflict");
    const text = `${count("done")} of ${rows.size} uploaded${wrong ? `, ${wrong} not` : ""}`;
    if (summary.textContent !== text) summary.textContent = text;
    board.dataset.busy = String(left > 0);
  };

  const add = (files) => {
    board.hidden = false;
    for (const file of files) enqueue(new Row(file));
  };

  document.getElementById("upload").addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", () => {
    add(chooser.files);
    chooser.value = "";
  });
  board.querySelector("[data-part=clear]").addEventListener("click", () => {
    for (const row of [...rows].filter(({ state }) => ["done", "cancelled"].includes(state))) {
      row.item.remove();
      rows.delete(row);
    }
    board.hidden = rows.size === 0;
    tell();
  });

  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragenter", (event) => {
    if (carriesFiles(event)) veil.hidden = false;
  });
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) veil.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    veil.hidden = true;
    add(event.dataTransfer.files);
  });
  window.addEventListener("beforeunload", (event) => {
    if (board.dataset.busy === "true") event.preventDefault();
  });
}
