// Loads an advisory from object storage and shows it in place of the summary.
// Texts come from packages nobody here wrote: they become text nodes, never
// markup. Without this script the page links to the same, rendered by the server.
(function () {
  "use strict";
  var place = document.getElementById("advisory");
  if (!place || !window.fetch) return;

  // el("p.note", "text", child…) makes an element.
  function el(what) {
    var parts = what.split("."), e = document.createElement(parts[0]);
    if (parts.length > 1) e.className = parts.slice(1).join(" ");
    for (var i = 1; i < arguments.length; i++) {
      var c = arguments[i];
      if (c === null || c === undefined || c === false) continue;
      if (Array.isArray(c)) c.forEach(function (x) { if (x) e.append(x); });
      else e.append(c);
    }
    return e;
  }
  function number(n) { return n.toLocaleString("en"); }
  function bytes(n) {
    if (n < 1024) return n + " B";
    if (n < 1048576) return (n / 1024).toFixed(1) + " KiB";
    return (n / 1048576).toFixed(1) + " MiB";
  }
  function link(address) {
    if (!/^https?:\/\//.test(address || "")) return address || "";
    var a = el("a", address);
    a.href = address;
    return a;
  }
  function section(title, body) { return el("section", el("h2", title), body); }
  function fact(name, value, kind) { return el("div", el("dt", name), el("dd" + (kind || ""), value)); }
  function delta(x) {
    return [el("span.plus", "+" + number(x.added)), " ", el("span.minus", "−" + number(x.removed)), x.rough ? " about" : ""];
  }
  function changes(list) {
    function cell(label, text) {
      var td = el("td.mono", text ? el("span", text) : el("span.muted", "none"));
      td.dataset.label = label;
      return td;
    }
    return el("div.scroll", el("table.plain",
      el("thead", el("tr", el("th", "Name"), el("th", "Before"), el("th", "After"))),
      el("tbody", list.map(function (c) { return el("tr", el("td.mono", c.name), cell("Before", c.from), cell("After", c.to)); }))));
  }
  function code(kind, list) { return el("ul.code." + kind, list.map(function (t) { return el("li", t); })); }
  function more(list, count) {
    return count > list.length ? el("p.muted", "and " + number(count - list.length) + " more") : null;
  }
  function files(title, list, count, open) {
    if (!count) return null;
    var d = el("details", el("summary", number(count) + " " + title), el("ul.files", list.map(function (f) {
      return el("li", el("span.mono", f.path), el("span.delta", f.binary ? "binary, " + bytes(f.bytes) : delta(f)));
    })), more(list, count));
    d.open = open;
    return d;
  }
  function api(a) {
    if (!a || !(a.added_count + a.removed_count + a.changed_count)) return null;
    return section("Exported API", [
      a.removed_count ? el("h3", "Removed (" + number(a.removed_count) + ")") : null,
      a.removed_count ? code("minus-list", a.removed) : null, more(a.removed, a.removed_count),
      a.changed_count ? el("h3", "Changed (" + number(a.changed_count) + ")") : null,
      a.changed_count ? changes(a.changed) : null, more(a.changed, a.changed_count),
      a.added_count ? el("h3", "Added (" + number(a.added_count) + ")") : null,
      a.added_count ? code("plus-list", a.added) : null, more(a.added, a.added_count)
    ]);
  }
  function archive(v) {
    return fact(v.version, [link(v.archive), el("br"), el("span.mono.muted", v.sum || ""),
      v.verified ? el("br") : null, v.verified ? v.verified + " as the registry says" : null], ".break");
  }
  function licence(l) {
    if (!l.to) return "not declared";
    return (l.changed && l.from !== l.to ? (l.from || "unknown") + " → " : "") + l.to;
  }

  function show(a) {
    var out = [el("ul.findings", a.findings.map(function (f) {
      return el("li." + (/^(alarm|warning)$/.test(f.level) ? f.level : "info"), f.text);
    }))];
    if (!a.refused) {
      out.push(el("dl.facts",
        fact("Files", number(a.files.added_count) + " added, " + number(a.files.removed_count) + " removed, " + number(a.files.changed_count) + " changed"),
        fact("Lines", delta(a.lines), ".delta"),
        fact("Licence", licence(a.licence)),
        fact("Size", bytes(a.from.bytes) + " → " + bytes(a.to.bytes))));
      if (a.news) out.push(section("From " + a.news.file, el("pre.news", a.news.lines.join("\n") + (a.news.cut ? "\n…" : ""))));
      out.push(api(a.api));
      if (a.dependencies.length) out.push(section("Dependencies", changes(a.dependencies)));
      if (a.scripts.length) out.push(section("Run at installation or build", changes(a.scripts)));
      if (a.binaries.length) out.push(section("Programs and libraries", el("ul.files", a.binaries.map(function (b) {
        return el("li", el("span.mono", b.path), el("span.delta", b.kind + ", " + bytes(b.bytes) + (b.new ? ", new" : ", changed")));
      }))));
      if (a.licence.files.length) out.push(section("Licence files", changes(a.licence.files)));
      out.push(section("Files", [files("added", a.files.added, a.files.added_count, false),
        files("removed", a.files.removed, a.files.removed_count, false),
        files("changed", a.files.changed, a.files.changed_count, a.files.changed_count <= 40)]));
      if (a.notes.length) out.push(section("What could not be told", el("ul", a.notes.map(function (n) { return el("li", n); }))));
      out.push(section("Archives", el("dl.facts", archive(a.from), archive(a.to))));
    }
    place.replaceChildren.apply(place, out.filter(Boolean));
    place.dataset.state = "shown";
  }

  function failed() {
    var a = el("a.button", "Show it from the server");
    a.href = place.dataset.fallback;
    place.append(el("div.message.warning", el("p", "The comparison could not be loaded from storage.")), el("p", a));
    place.dataset.state = "failed";
  }

  fetch(place.dataset.source, { credentials: "omit" }).then(function (r) {
    if (!r.ok) throw new Error("HTTP " + r.status);
    return r.json();
  }).then(function (a) {
    if (a.format !== "dayfly.releases.advisory/1") throw new Error("unknown format");
    show(a);
  }).catch(failed);
})();
