// Keeps an open page up to date: the server renders its parts again and sends
// those that changed. Without this script every page still shows what it
// showed when it was loaded, and every button works.
"use strict";
(() => {
  const maxRows = 2000;
  const status = document.getElementById("link");

  // A note is said once: a reload must not say it again.
  const here = new URL(location.href);
  if (here.searchParams.has("note")) {
    here.searchParams.delete("note");
    history.replaceState(null, "", here);
  }

  // Escape closes an opened question, and gives the focus back to it.
  document.addEventListener("keydown", (e) => {
    const open = e.key === "Escape" && e.target.closest && e.target.closest("details.sure[open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  });
  // Only one question is open at a time.
  document.addEventListener("toggle", (e) => {
    if (!e.target.matches("details.sure[open]")) return;
    for (const d of document.querySelectorAll("details.sure[open]")) if (d !== e.target) d.open = false;
  }, true);

  // On a narrow screen the entry of this page may be out of sight.
  const entry = document.querySelector(".top nav [aria-current]");
  if (entry) entry.parentElement.parentElement.parentElement.scrollLeft = entry.offsetLeft - 60;

  const tail = document.querySelector("[data-tail]");
  if (tail) tail.scrollTop = tail.scrollHeight;

  if (!document.body.hasAttribute("data-live") || !window.EventSource) return;

  let source = null;
  let retry = 0;

  function open() {
    clearTimeout(retry);
    if (source || document.hidden) return;
    source = new EventSource("/events?page=" + encodeURIComponent(location.pathname + location.search));
    source.onopen = () => say("live", "Live");
    source.onerror = () => {
      say("lost", "Not connected");
      if (source.readyState === EventSource.CLOSED) {
        close();
        retry = setTimeout(open, 5000);
      }
    };
    source.addEventListener("fragment", (e) => {
      const part = JSON.parse(e.data);
      const target = document.getElementById(part.id);
      if (!target) return;
      const stick = atEnd(target);
      morph(target, parse(part.html));
      if (stick) target.scrollTop = target.scrollHeight;
    });
    source.addEventListener("append", (e) => {
      const part = JSON.parse(e.data);
      const target = document.getElementById(part.id);
      if (!target) return;
      const stick = atEnd(target);
      target.append(parse(part.html));
      while (target.children.length > maxRows) target.firstElementChild.remove();
      if (stick) target.scrollTop = target.scrollHeight;
    });
    source.addEventListener("problem", (e) => {
      const text = JSON.parse(e.data).text;
      if (text) say("lost", "Not up to date: " + text);
      else say("live", "Live");
    });
  }

  function close() {
    if (source) source.close();
    source = null;
  }

  function say(state, text) {
    status.className = "link " + state;
    if (status.textContent !== text) status.textContent = text;
    status.title = text;
  }

  function atEnd(e) {
    return e.hasAttribute("data-tail") && e.scrollHeight - e.scrollTop - e.clientHeight < 40;
  }

  // A hidden page lets go of its connection: browsers allow six a server.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();

  function parse(html) {
    const t = document.createElement("template");
    t.innerHTML = html;
    return t.content;
  }

  // morph makes the children of one node like those of another and touches
  // only what differs, so that focus, selection and what was opened stay.
  function morph(from, to) {
    const keyed = new Map();
    for (const c of from.children) if (c.dataset.key) keyed.set(c.dataset.key, c);
    let at = from.firstChild;
    for (const want of [...to.childNodes]) {
      const key = want.dataset && want.dataset.key;
      const kept = key ? keyed.get(key) : at;
      if (key && kept) {
        if (kept === at) at = at.nextSibling;
        else from.insertBefore(kept, at);
        patch(kept, want);
      } else if (!key && kept && alike(kept, want)) {
        at = at.nextSibling;
        patch(kept, want);
      } else {
        from.insertBefore(want, at);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  function alike(a, b) {
    return a.nodeName === b.nodeName && !(a.dataset && a.dataset.key);
  }

  function patch(have, want) {
    if (have.nodeType !== Node.ELEMENT_NODE) {
      if (have.data !== want.data) have.data = want.data;
      return;
    }
    const own = (name) => name === "open" && have.nodeName === "DETAILS";
    for (const { name } of [...have.attributes]) if (!want.hasAttribute(name) && !own(name)) have.removeAttribute(name);
    for (const { name, value } of want.attributes) {
      if (have.getAttribute(name) !== value && !own(name)) have.setAttribute(name, value);
    }
    if (have.nodeName !== "SELECT") morph(have, want);
  }
})();
