"use strict";
// Draws one measurement, beside an older one where there is one. Everything comes from the two blocks of JSON; names are put as text only.
(function () {
  const run = JSON.parse(document.getElementById("run").textContent);
  const old = JSON.parse(document.getElementById("old").textContent);
  const page = document.getElementById("page");
  const titles = { bench_link: "Link", bench_log: "Disk of the log", bench_ship: "The whole pipe", bench_seed: "Seeding", tune: "Tuning a link",
                   drill_reseed: "Drill: reseed", drill_reseed_under_load: "Drill: reseed under load", drill_interrupted_reseed: "Drill: interrupted reseed", drill_rot: "Drill: rot",
                   drill_outage: "Drill: outage", drill_frozen_node: "Drill: frozen node", drill_disk_full: "Drill: disk full", drill_failover: "Drill: failover", drill_fork: "Drill: fork" };
  const palette = ["#2f6fde", "#e07b28", "#2a9d62", "#b04bc2", "#c93c56", "#17909c", "#8a7a1f", "#6c63d8", "#d2578f", "#5f7f95", "#a0522d", "#3f9b3f"];

  function element(tag, name, text, parent) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined && text !== null) made.textContent = text;
    if (parent) parent.appendChild(made);
    return made;
  }
  const list = (object, key) => (object && Array.isArray(object[key]) ? object[key] : []);
  const isNumber = (value) => typeof value === "number" && isFinite(value);
  const named = (object, key, name) => list(object, key).find((each) => each.name === name);

  function significant(value) {
    const size = Math.abs(value);
    return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
  }
  function scaled(value, steps) {
    for (const [from, unit] of steps) if (Math.abs(value) >= from) return significant(value / from) + " " + unit;
    return value === 0 ? "0 " + steps[steps.length - 1][1] : significant(value / steps[steps.length - 1][0]) + " " + steps[steps.length - 1][1];
  }
  const rate = (value) => (isNumber(value) ? scaled(value, [[1e9, "GB/s"], [1e6, "MB/s"], [1e3, "kB/s"], [1, "B/s"]]) : "\u2013");
  const size = (value) => (isNumber(value) ? scaled(value, [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [1024, "KiB"], [1, "B"]]) : "\u2013");
  const micro = (value) => (isNumber(value) ? (value >= 1e6 ? significant(value / 1e6) + " s" : value >= 1e3 ? significant(value / 1e3) + " ms" : value.toFixed(0) + " \u00b5s") : "\u2013");
  const percent = (value) => (isNumber(value) ? (100 * value).toFixed(0) + " %" : "\u2013");
  const count = (value) => (isNumber(value) ? value.toLocaleString("en-US", { maximumFractionDigits: 0 }) : "\u2013");
  const cores = (value) => (isNumber(value) ? value.toFixed(2) : "\u2013");
  const text = (value) => (value === null || value === undefined || value === "" ? "\u2013" : String(value));
  const units = { bytes_per_second: { name: "MB/s", of: (value) => value / 1e6, show: rate }, us: { name: "ms", of: (value) => value / 1e3, show: micro },
                  seconds: { name: "s", of: (value) => value, show: (value) => micro(value * 1e6) }, bytes: { name: "MiB", of: (value) => value / 2 ** 20, show: size },
                  per_second: { name: "1/s", of: (value) => value, show: count } };
  const overTime = { bytes_per_second: "Rate over time", us: "Latency over time", seconds: "Lag of the log over time", bytes: "Log behind over time", per_second: "Commits over time" };

  function card(title, note) {
    const made = element("section", "card", null, page);
    if (title) element("h2", null, title, made);
    if (note) element("p", "note", note, made);
    return made;
  }

  // Beside a figure, by how much it changed. `down`: less is better.
  function change(cell, now, before, down) {
    if (!isNumber(now) || !isNumber(before) || before === 0) return;
    const part = now / before - 1;
    if (Math.abs(part) < 0.005) return;
    element("span", part > 0 === !down ? "better" : "worse", (part > 0 ? "+" : "\u2212") + Math.abs(100 * part).toFixed(0) + " %", cell);
  }

  // columns: [heading, value of a row, shown as, compared: "up", "down" or nothing]
  function table(into, rows, older, columns) {
    const made = element("table", null, null, into);
    const head = element("tr", null, null, element("thead", null, null, made));
    for (const [heading] of columns) element("th", null, heading, head);
    const body = element("tbody", null, null, made);
    rows.forEach((row) => {
      const line = element("tr", null, null, body);
      const before = older ? older(row) : undefined;
      for (const [, value, show, compared] of columns) {
        const cell = element("td", null, show(value(row)), line);
        if (compared && before) change(cell, value(row), value(before), compared === "down");
      }
    });
  }

  function header() {
    element("h1", null, (titles[run.kind] || run.kind) + (run.database ? ": " + run.database : ""), page);
    const facts = element("p", "facts", null, page);
    const say = (words) => element("span", null, words, facts);
    say(run.peer ? run.node + " with " + run.peer : run.node);
    say(run.when);
    if (isNumber(run.seconds)) say(run.seconds.toFixed(1) + " s");
    if (run.path) say(run.path);
    if (run.directory) say(run.directory);
    if (run.host && run.host.disk) say("disk by " + run.host.disk);
    if (run.host && run.host.tls !== undefined) say(run.host.tls ? run.host.tls : "TLS off");
    if (old) say("compared with " + old.when);
    if (run.verdict && run.verdict.text) element("div", "card verdict" + (run.pass === true ? " good" : run.pass === false ? " bad" : ""), run.verdict.text, page);
  }

  // Of a drill: its checks, what crossed, and the roots.
  const equalAt = (root) => (root && root.root ? root.root + (root.equal_at ? ", equal on both nodes at " + root.equal_at.generation.toString(16) + "+" + root.equal_at.offset : "") : null);
  const lasted = (value) => micro(value * 1e6);
  const amountRows = [["database", "bytes", size], ["pages that crossed", "page_bytes_on_the_way", size], ["on the wire", "wire_bytes", size], ["until its pages were here", "seconds_to_pages", lasted],
                      ["until it was healthy", "seconds_to_healthy", lasted], ["rate of pages", "bytes_per_second", rate], ["rate on the wire", "wire_bytes_per_second", rate],
                      ["share of the link", "share_of_link", percent], ["log made meanwhile", "log_bytes_made", size], ["log behind at most", "log_behind_bytes_most", size], ["log lag at most", "lag_seconds_most", lasted]];
  function drill() {
    if (list(run, "checks").length === 0) return;
    const into = card("Checks");
    table(into, run.checks, null, [["verdict", (row) => (row.holds ? "PASS" : "FAIL"), text], ["check", (row) => row.check, text], ["expected", (row) => row.expected, text], ["found", (row) => row.found, text]]);
    into.querySelector("table").classList.add("words");
    into.querySelectorAll("tbody tr td:first-child").forEach((cell) => cell.classList.add(cell.textContent === "PASS" ? "good" : "bad"));
    list(run, "warnings").forEach((warning) => element("p", "note", "Warning: " + warning, into));
    const shown = (of, key, show) => (of && of.amounts && isNumber(of.amounts[key]) ? show(of.amounts[key]) : null);
    const own = list(run, "amount_rows");
    if (own.length > 0) {
      const older = (row) => (list(old, "amount_rows").find((each) => each.name === row.name) || {}).value;
      table(card("Amounts"), own, null, [["", (row) => row.name, text], ["", (row) => row.value, text]].concat(old ? [["older", older, text]] : []));
      return;
    }
    const rows = amountRows.map(([name, key, show]) => ({ name, now: shown(run, key, show), older: shown(old, key, show) }));
    if (run.cuts) rows.push({ name: "cuts; extents asked for again", now: count(run.cuts.made) + "; " + count(run.cuts.extents_again) });
    rows.push({ name: "root before", now: equalAt(run.root_before) }, { name: "root after", now: equalAt(run.root_after) });
    const amounts = card("Amounts");
    table(amounts, rows, null, [["", (row) => row.name, text], ["", (row) => row.now, text]].concat(old ? [["older", (row) => row.older, text]] : []));
  }

  function shares() {
    if (list(run, "shares").length === 0) return;
    const into = card("Shares of the limits", "Limits were found in the same run. " + (old ? "The thin mark is the older run." : ""));
    for (const share of run.shares) {
      const line = element("div", "share", null, into);
      const name = element("div", null, share.name, line);
      if (share.of) element("div", "of", "of " + share.of, name);
      const bar = element("div", "bar", null, line);
      if (isNumber(share.share)) element("i", null, null, bar).style.width = Math.max(0.5, Math.min(100, 100 * share.share)) + "%";
      const before = old && list(old, "shares").find((each) => each.name === share.name && each.of === share.of);
      if (before && isNumber(before.share)) element("b", null, null, bar).style.left = Math.min(99.5, 100 * before.share) + "%";
      const limit = named(run, "limits", share.of);
      element("div", "figure", percent(share.share) + (limit ? " of " + rate(limit.bytes_per_second) : ""), line);
    }
  }

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const charts = [];
  function drawn(into, make) {
    const place = element("div", "chart", null, into);
    let chart = null;
    const draw = () => {
      if (chart) chart.destroy();
      chart = make(place, Math.max(280, into.clientWidth - 36));
    };
    draw();
    charts.push(draw);
  }
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  function axis(label, extra) {
    return Object.assign({ label, labelSize: 18, labelGap: 0, size: 34, labelFont: "12px system-ui", font: "12px system-ui", stroke: color("--soft"),
                           grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line"), width: 1 } }, extra);
  }

  // Series of one unit and interval on one chart; the older run's are dashed.
  function timeChart(into, series, older) {
    const unit = units[series[0].unit] || { name: series[0].unit, of: (value) => value, show: text };
    const interval = series[0].interval_seconds;
    const all = series.map((each) => [each, false]).concat(older.map((each) => [each, true]));
    const length = Math.max(...all.map(([each]) => list(each, "values").length));
    if (length === 0) return;
    const seconds = Array.from({ length }, (_, i) => (i + 1) * interval);
    const values = all.map(([each]) => seconds.map((_, i) => (isNumber(each.values[i]) ? unit.of(each.values[i]) : null)));
    drawn(into, (place, width) => new uPlot({
      width, height: 280, cursor: { drag: { x: true, y: false } },
      scales: { x: { time: false }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
      axes: [axis("seconds"), axis(unit.name, { size: 64 })],
      series: [{ label: "seconds", value: (_, value) => (value === null ? "" : value.toFixed(1)) }].concat(all.map(([each, before]) => {
        const at = series.findIndex((one) => one.name === each.name);
        return { label: each.name + (before ? " (older)" : ""), stroke: palette[Math.max(0, at) % palette.length], width: before ? 1 : 1.75, dash: before ? [5, 4] : undefined,
                 points: { show: !before && length < 40, fill: color("--card") },
                 value: (_, value) => (value === null ? "\u2013" : significant(value) + " " + unit.name) };
      })),
    }, [seconds].concat(values), place));
  }

  function seriesCharts() {
    const groups = new Map();
    for (const each of list(run, "series")) {
      if (list(each, "values").length === 0 || !isNumber(each.interval_seconds)) continue;
      const key = each.unit + "/" + each.interval_seconds;
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(each);
    }
    for (const series of groups.values()) {
      const into = card(overTime[series[0].unit] || series[0].unit, "Every " + series[0].interval_seconds + " s. Click a name to hide it, drag to look closer, double-click to see all.");
      const older = old ? series.map((each) => named(old, "series", each.name)).filter((each) => each && each.unit === series[0].unit && each.interval_seconds === series[0].interval_seconds) : [];
      timeChart(into, series, older);
    }
  }

  const points = [["least", "least"], ["p50", "50"], ["p90", "90"], ["p99", "99"], ["p999", "99.9"], ["most", "most"]];
  function percentiles() {
    const lines = list(run, "percentiles").filter((line) => line.count > 0);
    if (lines.length === 0) return;
    const into = card("Latency by percentile");
    const older = old ? lines.map((line) => named(old, "percentiles", line.name)).filter((line) => line && line.count > 0) : [];
    const all = lines.map((line) => [line, false]).concat(older.map((line) => [line, true]));
    const xs = points.map((_, i) => i);
    drawn(into, (place, width) => new uPlot({
      width, height: 260, cursor: { drag: { x: false, y: false } },
      scales: { x: { time: false, range: [-0.15, points.length - 0.85] }, y: { distr: 3 } },
      axes: [axis("percentile", { splits: () => xs, values: (_, at) => at.map((i) => (points[i] ? points[i][1] : "")) }),
             axis("\u00b5s, logarithmic", { size: 72, values: (_, at) => at.map((value) => (value === null ? "" : value >= 1000 ? value.toLocaleString("en-US") : value)) })],
      series: [{ label: "percentile", value: (_, value) => (value === null || !points[value] ? "" : points[value][1]) }].concat(all.map(([line, before]) => ({
        label: line.name + (before ? " (older)" : ""), stroke: palette[Math.max(0, lines.findIndex((one) => one.name === line.name)) % palette.length], width: before ? 1 : 1.75,
        dash: before ? [5, 4] : undefined, points: { show: true, size: 6, fill: color("--card") }, value: (_, value) => micro(value),
      }))),
    }, [xs].concat(all.map(([line]) => points.map(([key]) => (line[key] > 0 ? line[key] : null)))), place));
    table(into, lines, old && ((line) => named(old, "percentiles", line.name)), [
      ["", (line) => line.name, text], ["count", (line) => line.count, count], ["least", (line) => line.least, micro], ["p50", (line) => line.p50, micro, "down"],
      ["p90", (line) => line.p90, micro], ["p99", (line) => line.p99, micro, "down"], ["p99.9", (line) => line.p999, micro], ["most", (line) => line.most, micro]]);
  }

  function details() {
    if (list(run, "runs").length > 0) {
      const same = (row) => list(old, "runs").find((each) => each.from === row.from && each.streams === row.streams && each.name === row.name);
      const first = (row) => list(row, "connections")[0] || {};
      table(card("Streams"), run.runs, old && same, [
        ["", (row) => row.from + " to " + row.to + (row.name ? ", " + row.name : ""), text], ["streams", (row) => row.streams, count],
        ["rate", (row) => row.bytes_per_second, rate, "up"], ["CPU " + run.node, (row) => row.processors_here, cores], ["CPU " + run.peer, (row) => row.processors_there, cores],
        ["window", (row) => (row.from === run.node ? first(row).peer_window : first(row).window_granted), size], ["round trip", (row) => isNumber(first(row).rtt_seconds) ? first(row).rtt_seconds * 1e6 : null, micro],
        ["resent", (row) => row.retransmits, count], ["congestion", (row) => row.congestion, text]]);
    }
    if (list(run, "rows").length > 0) {
      const same = (row) => list(old, "rows").find((each) => each.node === row.node && each.block_bytes === row.block_bytes);
      table(card("Blocks, each written and synced"), run.rows, old && same, [
        ["", (row) => row.node, text], ["block", (row) => row.block_bytes, size], ["syncs/s", (row) => row.syncs_per_second, count, "up"], ["rate", (row) => row.bytes_per_second, rate, "up"]]);
    }
    if (list(run, "databases").length > 0) {
      const rows = run.databases.concat([Object.assign({}, run.together, { database: "together" })]);
      const same = (row) => (row.database === "together" ? old.together : list(old, "databases").find((each) => each.database === row.database));
      table(card("Databases"), rows, old && same, [
        ["", (row) => row.database, text], ["pages", (row) => row.bytes, size], ["wire", (row) => row.wire_bytes, size], ["seconds", (row) => row.seconds, (value) => (isNumber(value) ? value.toFixed(2) : text(null))],
        ["rate", (row) => row.bytes_per_second, rate, "up"], ["root", (row) => (row.root_equal ? "equal" : "DIFFERS"), text]]);
    }
    if (list(run, "per_second").length > 0 && run.kind === "bench_ship") {
      let at = 0;
      const rows = run.per_second.map((row) => Object.assign({ at: (at += row.seconds) }, row));
      table(card("Second by second"), rows, null, [
        ["second", (row) => row.at.toFixed(1), text], ["commits/s", (row) => row.commits_per_second, count], ["pages", (row) => row.page_bytes_per_second, rate], ["log", (row) => row.log_bytes_per_second, rate],
        ["wire", (row) => row.wire_bytes_per_second, rate], ["p50 there", (row) => row.durable_there_p50_us, micro], ["p99 there", (row) => row.durable_there_p99_us, micro],
        ["on the way", (row) => row.on_the_way, count], ["CPU " + run.node, (row) => row.processors_here, cores]]);
    }
  }

  header();
  drill();
  shares();
  seriesCharts();
  percentiles();
  details();
  const again = () => charts.forEach((draw) => draw());
  let waiting = 0;
  window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(again, 150); });
  dark.addEventListener("change", again);
})();
