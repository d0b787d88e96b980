"use strict";
const $ = (id) => document.getElementById(id);
const AGAIN_MS = 1000, AGAIN_LIMIT_MS = 15_000, SILENT_MS = 25_000, LAG_S = 120;
const TITLES = {1: "Today so far", 7: "Last 7 days", 28: "Last 28 days"};
const THEN = {1: "the same weekday last week", 7: "the 7 days before", 28: "the 28 days before"};
const STEPS = {page_view: "Viewed a page", add_to_cart: "Put in the cart", purchase: "Bought", search: "Searched", click: "Clicked"};
const DAY_MS = 86_400_000;
let key = takeKey(), shown = null, heardAt = 0, connection = null, waitMs = AGAIN_MS, problem = null;

function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    sessionStorage.setItem("rivermeet.key", given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem("rivermeet.key");
}
function range() { return Number(document.querySelector("input[name=range]:checked").value); }
function address(path, more = {}) {
  const query = new URLSearchParams({...more});
  if ($("tenant").value) query.set("tenant", $("tenant").value);
  return path + "?" + query;
}
function ask(url, signal) { return fetch(url, {headers: {Authorization: "Bearer " + key}, signal, cache: "no-store"}); }

/* The stream: read by fetch, which can send the key in a header. */
async function watch() {
  connection?.abort();
  const mine = connection = new AbortController();
  let silence;
  const listen = () => { clearTimeout(silence); silence = setTimeout(() => mine.abort(), SILENT_MS); };
  try {
    listen();
    const answer = await ask(address("/v1/stream", {days: range()}), mine.signal);
    if (answer.status === 401 || answer.status === 403) return shut(await answer.json());
    if (!answer.ok) throw new Error((await answer.json()).detail);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ;) {
      const {value, done} = await reader.read();
      if (done) throw new Error("the connection ended");
      listen();
      heard();
      text += value;
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) take(text.slice(0, end));
    }
  } catch (error) {
    clearTimeout(silence);
    if (connection !== mine) return;
    tell();
    setTimeout(() => { if (connection === mine) watch(); }, waitMs);
    waitMs = Math.min(2 * waitMs, AGAIN_LIMIT_MS);
  }
}
function take(block) {
  const lines = block.split("\n"), of = (name) => lines.filter((l) => l.startsWith(name + ": ")).map((l) => l.slice(name.length + 2)).join("\n");
  const data = of("data");
  if (!data) return;
  if (of("event") === "problem") problem = JSON.parse(data); else { problem = null; shown = JSON.parse(data); show(shown); }
  tell();
}
function heard() { heardAt = Date.now(); waitMs = AGAIN_MS; }
function shut(why) {
  sessionStorage.removeItem("rivermeet.key");
  key = null;
  $("door-error").textContent = why.detail;
  open();
}
function open() {
  $("door").hidden = Boolean(key);
  $("board").hidden = !key;
  if (key) watch(); else { state("waiting", "Waiting for a key"); $("key").focus(); }
}

/* What is known, and what is not. */
function state(kind, text) {
  if ($("state").dataset.state !== kind) $("state").dataset.state = kind;
  if ($("state-text").textContent !== text) $("state-text").textContent = text;
}
function tell() {
  if (!key) return;
  const away = Date.now() - heardAt, lag = shown?.health.speed_lag_seconds, late = shown && behind(shown.health);
  const lost = heardAt && away > 12_000;
  if (problem) {
    state("broken", "No answer");
    notice("broken", problem.title + ".", problem.detail + (shown ? " Below is what was known at " + clock(shown.until) + "." : ""));
  } else if (lost || (heardAt && connection?.signal.aborted)) {
    state("broken", "Connection lost");
    notice("broken", "Connection lost.", "Trying again. Below is what was known at " + (shown ? clock(shown.until) : "no time yet") + ".");
  } else if (!shown) { state("waiting", "Connecting"); notice(); }
  else if (lag === null) { state("stale", "Nothing received yet"); notice("", "No data yet.", "The speed layer has applied nothing: figures appear with the first event."); }
  else if (late) { state("stale", "Behind"); notice("", "Figures are behind.", "Up to " + span(lag) + (shown.health.backlog === null ? "; Kafka does not say how much waits." : ": " + whole.format(shown.health.backlog) + " records wait to be applied.")); }
  else { state("live", "Live"); notice(); }
  $("board").classList.toggle("faded", Boolean(problem || lost));
}
/* A partition to which nothing comes looks old and is not behind: what waits in Kafka decides, where it is known. */
function behind(h) { return h.speed_lag_seconds > LAG_S && h.backlog !== 0; }
function notice(kind, title, text) {
  $("notice").hidden = !title;
  if (!title) return;
  $("notice").className = "notice " + kind;
  if ($("notice-title").textContent !== title) $("notice-title").textContent = title;
  if ($("notice-text").textContent !== text) $("notice-text").textContent = text;
}

/* Formats. */
const whole = new Intl.NumberFormat("en"), percent = new Intl.NumberFormat("en", {style: "percent", maximumFractionDigits: 1});
const change = new Intl.NumberFormat("en", {style: "percent", maximumFractionDigits: 0});
function clock(time) { return new Date(time).toISOString().slice(11, 16) + " UTC"; }
function dayOf(time) { return new Date(time).toLocaleDateString("en", {weekday: "short", day: "numeric", month: "short", timeZone: "UTC"}); }
function span(seconds) {
  if (seconds < 60) return Math.round(seconds) + " s";
  return seconds < 5400 ? Math.round(seconds / 60) + " min" : seconds < 172_800 ? Math.round(seconds / 3600) + " h" : Math.round(seconds / 86_400) + " days";
}
function length(seconds) { return seconds < 60 ? Math.round(seconds) + " s" : Math.floor(seconds / 60) + " min " + Math.round(seconds % 60) + " s"; }
function money(minor, of) {
  const digits = Math.abs(minor) >= 10 ** (of.exponent + 5) ? {notation: "compact", maximumFractionDigits: 1} : {minimumFractionDigits: of.exponent, maximumFractionDigits: of.exponent};
  return new Intl.NumberFormat("en", {style: "currency", currency: of.currency, ...digits}).format(minor / 10 ** of.exponent);
}
function node(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
function empty(text) { return node("p", "empty", text); }

function show(all) {
  $("h-kpis").textContent = TITLES[all.days];
  const cut = all.days === 1 ? ", each until " + clock(all.until) : "";
  $("compared").textContent = all.before_known
    ? "Beside " + THEN[all.days] + " (" + dayOf(all.before_since) + (all.days > 1 ? " to " + dayOf(all.before_until) : "") + ")" + cut
    : "What it is held against is not known: " + THEN[all.days] + " is incomplete";
  for (const [name, format] of [["active_sessions", whole.format], ["visitors", whole.format], ["conversion_rate", percent.format], ["avg_session_seconds", length]])
    figure(name, all.kpis[name].now, all.kpis[name].before, all.kpis[name].now === null ? "–" : format(all.kpis[name].now), all, name === "conversion_rate");
  const main = all.revenue[0];
  figure("revenue", main ? main.net_minor : 0, main ? main.before_minor : null, main ? money(main.net_minor, main) : "–", all);
  if (all.revenue.length > 1) $("kpi-revenue").lastChild.append(" · also " + all.revenue.slice(1, 4).map((one) => money(one.net_minor, one)).join(", "));
  tenants(all); funnel(all); products(all); parts("devices", all.devices, deviceName); parts("countries", all.countries, countryName); alerts(all); health(all);
  charts(all);
}
function figure(name, now, then, text, all, points) {
  const [value, delta] = $("kpi-" + name).children;
  value.dataset.value = now ?? "";
  if (value.textContent !== text) value.textContent = text;
  delta.replaceChildren();
  if (!all.before_known) delta.textContent = "then: not known";
  else if (now === null || then === null || then === 0) delta.textContent = then === 0 ? "then: none" : "nothing to compare";
  else {
    const moved = points ? (now - then) * 100 : now / then - 1, flat = Math.abs(moved) < (points ? 0.05 : 0.005);
    const mark = node("b", flat ? "" : moved > 0 ? "up" : "down", flat ? "as then" : (moved > 0 ? "▲ " : "▼ ") + (points ? Math.abs(moved).toFixed(1) + " points" : change.format(Math.abs(moved))));
    delta.append(mark, flat ? "" : moved > 0 ? " more than then" : " less than then");
  }
}
function tenants(all) {
  const names = all.health.tenants, select = $("tenant"), chosen = select.value;
  $("tenant-pick").hidden = !all.health.operator || (names.length < 2 && !chosen);
  const wanted = ["", ...new Set([...names, ...(chosen ? [chosen] : [])])];
  if ([...select.options].map((o) => o.value).join("\n") === wanted.join("\n")) return;
  select.replaceChildren(...wanted.map((name) => new Option(name || "All tenants", name)));
  select.value = chosen;
}
function bar(name, text, share) {
  const item = node("li"), line = node("div", "line"), track = node("div", "bar"), fill = node("i");
  line.append(node("span", "", name), node("span", "muted", text));
  fill.style.width = (100 * share).toFixed(1) + "%";
  track.append(fill);
  item.append(line, track);
  return item;
}
function fill(id, items, nothing) {
  const list = $(id);
  if (items.length) return list.replaceChildren(...items);
  const item = node("li");
  item.append(empty(nothing));
  list.replaceChildren(item);
}
function funnel(all) {
  const first = all.funnel[0].reached;
  fill("funnel", first ? all.funnel.map((s) => {
    const text = whole.format(s.reached) + (s.step > 1 && s.from_previous !== null ? " · " + percent.format(s.from_previous) + " go on" : "");
    return bar(STEPS[s.event_type] || s.event_type, text, s.reached / first);
  }) : [], "Nobody has viewed a page in this span.");
}
function products(all) {
  fill("products", all.products.map((p) => {
    const item = node("li"), moved = p.views - p.previous;
    const move = node("span", "move" + (moved > 0 ? " up" : moved < 0 ? " down" : ""), p.previous === 0 ? "new" : moved === 0 ? "as before" : (moved > 0 ? "▲ " : "▼ ") + whole.format(Math.abs(moved)));
    item.append(node("span", "place", p.rank), node("span", "name", p.product_id), node("span", "", whole.format(p.views)), move);
    return item;
  }), "No product was viewed in the last hour.");
}
const regions = new Intl.DisplayNames("en", {type: "region"});
function countryName(code) { if (!code) return "Unknown"; if (code === "other") return "Others"; try { return regions.of(code); } catch { return code; } }
function deviceName(name) { return name ? name[0].toUpperCase() + name.slice(1).replaceAll("_", " ") : "Unknown"; }
function parts(id, rows, name) {
  const all = rows.reduce((sum, row) => sum + row.sessions, 0);
  fill(id, rows.map((row) => bar(name(row.name), whole.format(row.sessions) + " · " + percent.format(row.sessions / all), row.sessions / all)), "No session in this span.");
}
function alerts(all) {
  const list = $("alerts");
  if (all.alerts === null) return list.replaceChildren(empty("Not known: nothing here raises alerts."));
  if (!all.alerts.length) return list.replaceChildren(empty("No alert in the last hour."));
  list.replaceChildren(...all.alerts.map((alert) => {
    const item = node("article"), head = node("p");
    head.append(node("span", "tag " + alert.severity, alert.severity), node("span", "muted", clock(alert.window_end) + " · " + alert.rule.replaceAll("_", " ")));
    item.append(head, node("p", "", alert.message));
    if (alert.session_id) {
      const link = node("button", "plain", "See session " + alert.session_id);
      link.type = "button";
      link.addEventListener("click", () => session(alert.session_id, alert.tenant_id));
      item.append(link);
    }
    return item;
  }));
}
async function session(id, tenant) {
  const body = $("session-body");
  $("session-title").textContent = "Session " + id;
  body.replaceChildren(empty("Loading"));
  $("session").showModal();
  const query = shown.health.operator ? "?" + new URLSearchParams({tenant}) : "";
  const answer = await ask("/v1/sessions/" + encodeURIComponent(id) + query).then((a) => a.json()).catch((e) => ({detail: String(e)}));
  if (!answer.data) return body.replaceChildren(empty(answer.detail));
  const names = {session_start: "Began", session_end: "Last event", user_id: "User", platform: "Platform", country: "Country", events: "Events", page_views: "Page views", add_to_carts: "Put in cart", purchases: "Purchases", entry_page: "Entry page", exit_page: "Exit page", layer: "Layer"};
  body.replaceChildren(...answer.data.map((one) => {
    const table = node("table");
    for (const [name, label] of Object.entries(names)) {
      const row = table.insertRow(), head = node("th", "", label);
      head.scope = "row";
      row.append(head, node("td", "", one[name] ?? "not known"));
    }
    return table;
  }));
}
function health(all) {
  const h = all.health, hidden = "only for keys of all tenants", items = [];
  const add = (name, kind, text) => { const box = node("div"); box.append(node("dt", "", name), node("dd", kind, text)); items.push(box); };
  const lag = h.speed_lag_seconds;
  add("Speed layer", lag === null ? "what" : behind(h) ? "off" : "ok", lag === null ? "nothing applied yet" : h.backlog === 0 ? "all applied" : "at most " + span(lag) + " behind" + (h.backlog ? ", " + whole.format(h.backlog) + " records" : ""));
  const last = h.last_publication;
  add("Last publication", last ? "ok" : "what", last ? dayOf(last.day) + ", made " + dayOf(last.published_at) + " " + clock(last.published_at) : "none yet");
  add("Late groups", "ok", whole.format(h.late_groups));
  add("Dead letters, 24 h", !h.operator ? "what" : h.dead_letters ? "off" : "ok", h.operator ? whole.format(h.dead_letters) : hidden);
  const both = h.reconciliation;
  add("Reconciliation", !both ? "what" : both.unequal ? "off" : "ok", both ? dayOf(both.day) + ": " + (both.unequal ? whole.format(both.unequal) + " groups differ" : "both layers agree") : h.operator ? "not known" : hidden);
  const gate = h.gate;
  add("Quality gate", !gate ? "what" : gate.failed ? "off" : "ok", gate ? dayOf(gate.day) + ": " + (gate.failed ? gate.failed + " of " + gate.checks + " checks failed" : gate.checks + " checks passed") + (gate.warned ? ", " + gate.warned + " warn" : "") : h.operator ? "not known" : hidden);
  $("health").replaceChildren(...items);
}

/* Charts, once plotly has come. */
function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim(); }
function layout(more) {
  const axis = {gridcolor: colour("line"), linecolor: colour("line"), zeroline: false, tickfont: {color: colour("muted"), size: 12}, fixedrange: true};
  return {margin: {l: 44, r: 8, t: 8, b: 28}, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "x unified", font: {family: "system-ui, sans-serif"},
    hoverlabel: {bgcolor: colour("card"), bordercolor: colour("line"), font: {color: colour("ink")}}, bargap: .25, ...more, xaxis: {...axis, showgrid: false, ...more.xaxis}, yaxis: {...axis, rangemode: "tozero", nticks: 5, ...more.yaxis}};
}
const drawn = {};
function draw(id, traces, form, said, nothing) {
  $(id).setAttribute("aria-label", said || nothing);
  $(id + "-said").textContent = said;
  if (!traces) { if (drawn[id]) Plotly.purge(id); drawn[id] = ""; return $(id).replaceChildren(empty(nothing)); }
  const text = JSON.stringify([traces, document.documentElement.dataset.theme, innerWidth]);
  if (!window.Plotly || drawn[id] === text) return;
  if (!drawn[id]) $(id).replaceChildren();
  drawn[id] = text;
  Plotly.react(id, traces, layout(form), {displayModeBar: false, responsive: true});
}
function charts(all) {
  if (!all) return;
  traffic(all);
  revenue(all);
}
function traffic(all) {
  const counts = new Map(all.traffic.map((row) => [Date.parse(row.minute), row]));
  const last = Math.floor(Date.parse(all.until) / 60_000) * 60_000, first = last - 24 * 60 * 60_000;
  const parts = {closed: [[], []], live: [[], []], open: [[], []]};
  let most = {events: -1}, closedUntil = 0;
  for (const row of all.traffic) { if (row.closed) closedUntil = Math.max(closedUntil, Date.parse(row.minute)); if (row.events > most.events) most = row; }
  for (let minute = first; minute <= last; minute += 60_000) {
    const part = minute === last ? parts.open : minute <= closedUntil ? parts.closed : parts.live;
    part[0].push(new Date(minute).toISOString().slice(0, 16).replace("T", " "));
    part[1].push(counts.get(minute)?.events ?? 0);
  }
  const now = counts.get(last - 60_000)?.events ?? 0;
  const said = all.traffic.length ? "Busiest minute: " + whole.format(most.events) + " events at " + clock(most.minute) + ". The last whole minute: " + whole.format(now) + "." : "";
  const area = (of, name, fillColour) => ({x: of[0], y: of[1], name, type: "scatter", mode: "lines", line: {color: fillColour, width: 1.4, shape: "hvh"}, fill: "tozeroy", fillcolor: fillColour + "38", hovertemplate: "%{y}"});
  draw("traffic", all.traffic.length ? [area(parts.closed, "published", colour("past")), area(parts.live, "live", colour("accent")),
    {x: parts.open[0], y: parts.open[1], name: "this minute", type: "scatter", mode: "markers", marker: {color: colour("card"), size: 8, line: {color: colour("accent"), width: 2}}, hovertemplate: "%{y}"}] : null,
  {xaxis: {type: "date", tickformat: "%H:%M", nticks: innerWidth < 640 ? 5 : 10}}, said, "No event in the last 24 hours.");
}
function revenue(all) {
  $("h-revenue").textContent = all.days === 1 ? "Revenue by hour" : "Revenue by day";
  const main = all.revenue[0];
  $("revenue-unit").textContent = main ? "Net, " + main.currency + (all.revenue.length > 1 ? "; other currencies are not added" : "") : "Net";
  if (!main) return draw("revenue", null, {}, "", "No order in this span, and none in the one before.");
  const labels = main.slots.map((_, slot) => all.days === 1 ? String(slot).padStart(2, "0") + ":00" : dayOf(Date.parse(all.since) + slot * DAY_MS));
  const value = (minor) => minor / 10 ** main.exponent;
  const traces = [{x: labels, y: main.slots.map(value), name: "now", type: "bar", marker: {color: colour("accent")}, hovertemplate: "%{y:,.2f}"}];
  if (main.before_slots) traces.unshift({x: labels, y: main.before_slots.map(value), name: "then", type: "bar", marker: {color: colour("past")}, hovertemplate: "%{y:,.2f}"});
  const said = money(main.net_minor, main) + " from " + whole.format(main.orders) + " orders" + (main.before_minor === null ? "." : ", " + money(main.before_minor, main) + " then.");
  draw("revenue", traces, {barmode: "group", xaxis: {type: "category", nticks: innerWidth < 640 ? 6 : 12, tickangle: 0}}, said, "");
}

/* Controls. */
function theme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").setAttribute("aria-pressed", String(name === "dark"));
  charts(shown);
}
$("theme").addEventListener("click", () => {
  const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("rivermeet.theme", name);
  theme(name);
});
theme(localStorage.getItem("rivermeet.theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
$("door").addEventListener("submit", (event) => {
  event.preventDefault();
  key = $("key").value.trim();
  sessionStorage.setItem("rivermeet.key", key);
  $("key").value = $("door-error").textContent = "";
  open();
});
for (const control of [...document.querySelectorAll("input[name=range]"), $("tenant")]) control.addEventListener("change", () => { watch(); });
$("session-close").addEventListener("click", () => $("session").close());
addEventListener("load", () => charts(shown));
addEventListener("resize", () => charts(shown));
setInterval(tell, 1000);
open();
