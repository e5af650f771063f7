"use strict";
(function () {
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  for (const tools of all(".tools")) tools.hidden = false;

  // Rows of tables: by what they hold, and by what became of them.
  for (const box of all("[data-table]")) {
    const table = document.getElementById(box.dataset.table);
    const rows = all("tbody tr", table);
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const find = box.querySelector("input[type=search]");
    const bad = box.querySelector("input[type=checkbox]");
    const count = box.querySelector("output");
    const show = () => {
      const wanted = find.value.toLowerCase();
      let shown = 0;
      rows.forEach((row, at) => {
        const off = !texts[at].includes(wanted) || (bad.checked && !row.hasAttribute("data-bad"));
        row.classList.toggle("off", off);
        shown += !off;
      });
      count.textContent = shown + " of " + rows.length;
    };
    find.addEventListener("input", show);
    bad.addEventListener("change", show);
    show();
  }

  // The graph: what a patch needs, what needs it, directly or by way of others.
  for (const graph of all(".graph")) {
    const items = all("li", graph);
    const paths = all("path", graph);
    const svg = graph.querySelector("svg");
    const detail = document.getElementById(graph.dataset.detail);
    const below = new Map(), above = new Map(), item = new Map();
    for (const li of items) { below.set(li.dataset.n, []); above.set(li.dataset.n, []); item.set(li.dataset.n, li); }
    for (const path of paths) { above.get(path.dataset.b).push(path); below.get(path.dataset.a).push(path); }
    const reach = (start, next, end) => {
      const found = new Set(), waiting = [start];
      while (waiting.length) {
        for (const path of next.get(waiting.pop())) {
          const other = path.dataset[end];
          if (!found.has(other)) { found.add(other); waiting.push(other); }
        }
      }
      return found;
    };
    let fixed = null;
    const line = (text) => { const p = document.createElement("p"); p.textContent = text; detail.append(p); };
    const choose = (n) => {
      for (const li of items) li.classList.remove("chosen", "needed", "needs");
      for (const path of paths) path.classList.remove("on");
      svg.classList.toggle("faded", n !== null);
      detail.textContent = "";
      if (n === null) { line(detail.dataset.hint); return; }
      const needed = reach(n, above, "a"), needs = reach(n, below, "b");
      item.get(n).classList.add("chosen");
      needed.forEach((other) => item.get(other).classList.add("needed"));
      needs.forEach((other) => item.get(other).classList.add("needs"));
      for (const path of paths) {
        const inside = (x) => x === n || needed.has(x);
        const outside = (x) => x === n || needs.has(x);
        const on = (inside(path.dataset.a) && inside(path.dataset.b)) || (outside(path.dataset.a) && outside(path.dataset.b));
        path.classList.toggle("on", on);
      }
      line(item.get(n).textContent.trim() + ": needs " + needed.size + ", needed by " + needs.size + ", with all that is between");
      for (const path of above.get(n)) line("needs " + path.dataset.a + ": " + path.querySelector("title").textContent);
      for (const path of below.get(n).slice(0, 12)) line("needed by " + path.dataset.b + ": " + path.querySelector("title").textContent);
    };
    choose(null);
    for (const li of items) {
      const n = li.dataset.n, button = li.querySelector("button");
      button.addEventListener("mouseenter", () => { if (fixed === null) choose(n); });
      button.addEventListener("mouseleave", () => { if (fixed === null) choose(null); });
      button.addEventListener("focus", () => { if (fixed === null) choose(n); });
      button.addEventListener("click", () => {
        fixed = fixed === n ? null : n;
        for (const other of items) other.querySelector("button").setAttribute("aria-pressed", String(other.dataset.n === fixed));
        choose(fixed === null ? n : fixed);
      });
      button.addEventListener("keydown", (event) => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (event.key === "Escape") { fixed = null; choose(null); }
        if (!step) return;
        event.preventDefault();
        let at = items.indexOf(li) + step;
        while (items[at] && items[at].classList.contains("off")) at += step;
        if (items[at]) items[at].querySelector("button").focus();
      });
    }
    const alone = document.getElementById(graph.dataset.alone), find = document.getElementById(graph.dataset.find);
    const arrange = () => {
      const wanted = find.value.toLowerCase(), place = new Map();
      let row = 0;
      for (const li of items) {
        const n = li.dataset.n;
        const free = !above.get(n).length && !below.get(n).length;
        const off = (alone.checked && free) || !li.textContent.toLowerCase().includes(wanted);
        li.classList.toggle("off", off);
        if (!off) place.set(n, row++);
      }
      const width = Number(svg.getAttribute("width"));
      const height = Math.max(1, row * 22);
      svg.setAttribute("height", String(height));
      svg.setAttribute("viewBox", "0 0 " + width + " " + height);
      for (const path of paths) {
        const a = place.get(path.dataset.a), b = place.get(path.dataset.b);
        if (a === undefined || b === undefined) { path.setAttribute("d", ""); continue; }
        const top = a * 22 + 11, bottom = b * 22 + 11;
        const bow = Math.min(width - 4, 12 + 9 * Math.pow(Math.abs(b - a), 0.75));
        path.setAttribute("d", "M" + width + " " + top + "C" + (width - bow) + " " + top + " " + (width - bow) + " " + bottom + " " + width + " " + bottom);
      }
    };
    alone.addEventListener("change", arrange);
    find.addEventListener("input", arrange);
  }

  addEventListener("beforeprint", () => { for (const one of all("details")) one.open = true; });
})();
