// The pages work without this file; with it the station's page stays up to date, and it and the image
// review obey keys.
//
// Live pieces come over one stream of server-sent events. Each event is JSON:
//   set    pieces of HTML by the id of the element that shows them
//   calls  every waiting call in order; HTML only for those this page has not been sent before
// A call's form is never replaced, so nothing typed and no focus is ever lost.
"use strict";

(() => {
  const station = document.getElementById("station");
  if (!station) return;

  const calls = document.getElementById("calls");
  const noCalls = document.getElementById("no-calls");
  const answer = document.getElementById("answer");
  const connection = document.getElementById("connection");
  const keysOn = document.getElementById("keys-on");
  const soundOn = document.getElementById("sound-on");

  // Live pieces -----------------------------------------------------------------------------

  function element(html) {
    const template = document.createElement("template");
    template.innerHTML = html.trim();
    return template.content.firstElementChild;
  }

  function set(id, html) {
    const shown = document.getElementById(id);
    if (!shown) return;
    // A lane's card is an element of its own; the other pieces fill an element.
    if (id.startsWith("lane-")) shown.replaceWith(element(html));
    else if (id.startsWith("age-") || id === "run-time") shown.textContent = html;
    else shown.innerHTML = html;
  }

  function showCalls(list) {
    const wanted = new Set(list.map((call) => call.id));
    const focused = document.activeElement?.closest?.(".call");
    for (const item of [...calls.children]) {
      if (wanted.has(item.id)) continue;
      // The person was at a call that has ended: go on with the next one, not to nowhere.
      if (item === focused) (item.nextElementSibling ?? item.previousElementSibling)?.focus();
      item.remove();
    }
    if (list.some((call) => !document.getElementById(call.id))) sound();
    let before = calls.firstElementChild;
    for (const call of list) {
      const item = document.getElementById(call.id);
      if (item && item === before) before = item.nextElementSibling;
      else if (item) calls.insertBefore(item, before);
      else if (call.html) calls.insertBefore(element(call.html), before);
    }
    noCalls.hidden = list.length > 0;
    document.title = document.title.replace(/^\(\d+\) /, "");
    if (list.length > 0) document.title = `(${list.length}) ${document.title}`;
  }

  function connect() {
    const stream = new EventSource(station.dataset.live);
    const lost = (isLost) => {
      connection.hidden = !isLost;
      document.body.classList.toggle("lost", isLost);
    };
    stream.onopen = () => lost(false);
    stream.onmessage = (message) => {
      const update = JSON.parse(message.data);
      for (const [id, html] of Object.entries(update.set)) set(id, html);
      if (update.calls) showCalls(update.calls);
    };
    stream.onerror = () => {
      lost(true);
      // The browser tries again by itself, except after an answer such as "log in first".
      if (stream.readyState === EventSource.CLOSED) setTimeout(retry, 2000);
    };
    addEventListener("pagehide", () => stream.close(), { once: true });
  }

  async function retry() {
    try {
      const page = await fetch("/station", { redirect: "manual" });
      if (page.type === "opaqueredirect") location.assign("/login");
      else connect();
    } catch {
      setTimeout(retry, 2000);
    }
  }

  // Sound -----------------------------------------------------------------------------------

  soundOn.checked = localStorage.getItem("sound") !== "off";
  soundOn.addEventListener("change", () => {
    localStorage.setItem("sound", soundOn.checked ? "on" : "off");
  });

  let audio;

  // Two short tones, one above the other. Browsers allow it once the person has done something.
  function sound() {
    if (!soundOn.checked) return;
    audio ??= new AudioContext();
    if (audio.state === "suspended") audio.resume();
    [660, 880].forEach((frequency, nth) => {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      const start = audio.currentTime + nth * 0.18;
      tone.frequency.value = frequency;
      volume.gain.setValueAtTime(0.2, start);
      volume.gain.exponentialRampToValueAtTime(0.001, start + 0.16);
      tone.connect(volume).connect(audio.destination);
      tone.start(start);
      tone.stop(start + 0.17);
    });
  }

  // Orders ----------------------------------------------------------------------------------

  function tell(text, kind) {
    answer.textContent = text;
    answer.dataset.kind = kind;
  }

  station.addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    if (form.dataset.busy) return;
    form.dataset.busy = "yes";
    tell(answer.dataset.sending, "sending");
    const body = new URLSearchParams(new FormData(form, event.submitter));
    try {
      // Not form.action: the form's buttons have that name too, and would be found instead.
      const response = await fetch(form.getAttribute("action"), {
        method: "POST",
        headers: { accept: "application/json" },
        body,
      });
      const told = await response.json();
      tell(told.text, told.done ? "done" : "refused");
    } catch {
      tell(answer.dataset.silence, "refused");
    } finally {
      delete form.dataset.busy;
      // A password or code is for one order.
      for (const secret of form.querySelectorAll("[name=second_password], [name=second_code]")) secret.value = "";
    }
  });

  // Keys ------------------------------------------------------------------------------------

  keysOn.checked = localStorage.getItem("keys") !== "off";
  keysOn.addEventListener("change", () => {
    localStorage.setItem("keys", keysOn.checked ? "on" : "off");
  });

  function here() {
    return document.activeElement?.closest?.(".call") ?? calls.firstElementChild;
  }

  function move(step) {
    const items = [...calls.children];
    const at = items.indexOf(document.activeElement?.closest?.(".call"));
    const next = items[Math.min(Math.max(at + step, 0), items.length - 1)];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Escape") here()?.focus();
    const types = event.target.closest("input:not([type=radio]):not([type=checkbox]), select, textarea");
    if (!keysOn.checked || types) return;
    const key = event.key.toLowerCase();
    if (key === "j") move(1);
    else if (key === "k") move(-1);
    else {
      const control = /^[a-z0-9]$/.test(key) && (here()?.querySelector(`[data-key="${key}"]`)
        ?? document.querySelector(`#lane-orders [data-key="${key}"]`));
      if (!control) return;
      const hidden = control.closest("details");
      if (hidden) hidden.open = true;
      if (control.type === "radio") control.checked = true;
      // A key goes to its button, Enter presses it: two keystrokes, and none by mistake.
      control.focus();
    }
    event.preventDefault();
  });

  connect();
})();

// Image review: keys go to what they name, and Enter does it.
(() => {
  const review = document.getElementById("review");
  if (!review) return;

  const keysOn = document.getElementById("review-keys-on");
  keysOn.checked = localStorage.getItem("keys") !== "off";
  keysOn.addEventListener("change", () => {
    localStorage.setItem("keys", keysOn.checked ? "on" : "off");
  });

  // One answer for one press, however long the books take.
  for (const form of review.querySelectorAll("form")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.busy) event.preventDefault();
      form.dataset.busy = "yes";
    });
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const list = event.target.closest("select");
    if (event.key === "Enter" && list) {
      event.preventDefault();
      list.form.requestSubmit();
      return;
    }
    if (event.key === "Escape") document.activeElement?.blur?.();
    const types = event.target.closest("input:not([type=radio]):not([type=checkbox]), select, textarea");
    if (!keysOn.checked || types) return;
    const key = event.key.toLowerCase();
    const control = /^[a-z0-9]$/.test(key) && review.querySelector(`[data-key="${key}"]`);
    if (!control) return;
    if (control.type === "radio") control.checked = true;
    control.focus();
    if (control.name === "plate") control.select();
    event.preventDefault();
  });
})();
