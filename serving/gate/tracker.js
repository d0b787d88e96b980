/* Rivermeet's tracker: <script src="https://collect.example/tracker.js" data-key="rm_..." data-consent="required" async></script>
   The key must be one that only writes. Then: rivermeet.track("add_to_cart", {productId: "sku-1"}), rivermeet.page(),
   rivermeet.identify("u-77"), rivermeet.consent(true). Nothing is stored or sent before consent where it is required. */
(() => {
  "use strict";
  const script = document.currentScript;
  const address = new URL("/v1/events?key=" + encodeURIComponent(script.dataset.key || ""), script.src).href;
  const TYPES = ["page_view", "click", "purchase", "add_to_cart", "search"];
  const IDLE_MS = 30 * 60 * 1000, WAIT_MS = 1000, AGAIN_MS = 5000, BATCH = 20, KEPT = 500;
  const SESSION = "rivermeet.session", CONSENT = "rivermeet.consent";
  let queue = [], user = null, timer = null, session = null, seenAt = 0;
  let allowed = script.dataset.consent !== "required" || read(CONSENT) === "yes";

  function read(name) { try { return localStorage.getItem(name); } catch { return null; } }
  function write(name, value) {
    try { value === null ? localStorage.removeItem(name) : localStorage.setItem(name, value); } catch { /* storage is shut */ }
  }
  function id() {
    if (crypto.randomUUID) return crypto.randomUUID();
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
  }
  function sessionId(now) {
    const [kept, at] = allowed ? (read(SESSION) || "").split("|") : [];
    if (kept && Number(at) > seenAt) { session = kept; seenAt = Number(at); }
    if (!session || now - seenAt >= IDLE_MS) session = id();
    seenAt = now;
    if (allowed) write(SESSION, session + "|" + now);
    return session;
  }
  function track(type, properties) {
    if (!TYPES.includes(type)) throw new TypeError("rivermeet: " + type + " is none of " + TYPES.join(", "));
    const now = Date.now(), texts = {page: location.pathname};
    for (const [name, value] of Object.entries(properties || {})) if (value != null) texts[name] = String(value);
    const narrow = matchMedia("(max-width: 760px)").matches;
    queue.push({
      eventId: id(), sessionId: sessionId(now), userId: user, eventType: type, timestamp: now, properties: texts,
      context: {platform: narrow ? "mobile_web" : "web", referrer: document.referrer || null},
    });
    queue = queue.slice(-KEPT);
    if (queue.length >= BATCH) flush(); else later(WAIT_MS);
  }
  function later(ms) { timer = timer || setTimeout(() => { timer = null; flush(); }, ms); }
  function flush() {
    while (allowed && queue.length) {
      const batch = queue.slice(0, BATCH);
      // Text, so that the browser asks no permission of another origin first.
      if (!navigator.sendBeacon(address, new Blob([JSON.stringify({events: batch})], {type: "text/plain"}))) {
        later(AGAIN_MS);
        return;
      }
      queue = queue.slice(batch.length);
    }
  }
  function consent(given) {
    allowed = Boolean(given);
    write(CONSENT, allowed ? "yes" : null);
    if (allowed) { if (session) write(SESSION, session + "|" + seenAt); flush(); return; }
    queue = []; session = null; seenAt = 0; write(SESSION, null);
  }
  addEventListener("pagehide", flush);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") flush(); });
  window.rivermeet = {
    track, flush, consent, page: (properties) => track("page_view", properties), identify: (name) => { user = name || null; },
  };
  if (script.dataset.auto !== "off") track("page_view");
})();
