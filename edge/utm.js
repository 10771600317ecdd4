// Takes utm_* out of the address bar once the page has counted the visit.
// Include it after what reads them; the page works the same without it.
(function () {
  var l = location, kept;
  if (!window.history || !history.replaceState || l.search.indexOf("utm_") < 0) return;
  kept = l.search.slice(1).split("&").filter(function (part) {
    return !/^utm_(source|medium|campaign|term|content|id)(=|$)/.test(part);
  }).join("&");
  history.replaceState(history.state, "", l.protocol + "//" + l.host + l.pathname + (kept ? "?" + kept : "") + l.hash);
})();
