// Charts and sortable tables of the dashboard. Data comes from the page; nothing is loaded.
"use strict";
(() => {
  const DATA = JSON.parse(document.getElementById("data").textContent);
  // Okabe and Ito's colours, told apart by colour-blind readers; black follows the colour of the text.
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "currentColor"];
  const DASHES = ["", "7 4", "2 3", "9 3 2 3", "1 4", "14 4", "4 2"];
  const SHAPES = ["circle", "square", "triangle", "diamond"];
  const SHOWN = 12; // series drawn at first; the legend switches the others on
  const LEFT = 56, RIGHT = 14, TOP = 10, BOTTOM = 42;

  const style = (index) => ({
    colour: COLOURS[index % COLOURS.length],
    dash: DASHES[(index + Math.floor(index / COLOURS.length)) % DASHES.length],
  });
  const text = (value) => {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (size !== 0 && (size < 0.001 || size >= 1e6)) return value.toExponential(2);
    return String(Number(value.toPrecision(4)));
  };
  const element = (name, attributes, parent) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    parent.append(made);
    return made;
  };
  const html = (name, parent, className, content) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (content !== undefined) made.textContent = content;
    parent.append(made);
    return made;
  };

  function ticks(low, high, count) {
    const raw = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
    const found = [];
    for (let tick = Math.ceil(low / step) * step; tick <= high + step / 1e6; tick += step) found.push(tick);
    return found;
  }

  function axis(values, log, fixed) {
    let low = Math.min(...values), high = Math.max(...values);
    if (fixed) [low, high] = [fixed[0] ?? low, fixed[1] ?? high];
    if (log) {
      [low, high] = [Math.log10(low), Math.log10(high)];
      const room = (high - low || 1) * 0.04;
      return { to: (v) => (Math.log10(v) - low + room) / (high - low + 2 * room), marks: logTicks(low, high) };
    }
    const room = fixed ? 0 : (high - low || Math.abs(high) || 1) * 0.05;
    [low, high] = [low - room, high + room];
    return { to: (v) => (v - low) / (high - low), marks: ticks(low, high, 5) };
  }

  function logTicks(low, high) {
    const found = [];
    for (let power = Math.floor(low); power <= Math.ceil(high); power += 1) {
      for (const factor of high - low > 2 ? [1] : [1, 2, 5]) found.push(factor * 10 ** power);
    }
    return found.filter((value) => Math.log10(value) >= low - 0.02 && Math.log10(value) <= high + 0.02);
  }

  const marks = (shape, x, y, r) => ({
    circle: `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`,
    square: `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
    triangle: `M${x} ${y - r}L${x + r} ${y + r}H${x - r}z`,
    diamond: `M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}z`,
  })[shape];

  // One chart: lines, steps or points with names; hover or touch shows values, the legend switches series.
  function chart(host, spec) {
    const box = html("div", host, "chart");
    const legend = html("div", host, "legend");
    const tip = html("div", box, "tip");
    const off = new Set(spec.series.slice(SHOWN).map((series) => series.name));
    spec.series.forEach((series, index) => {
      const button = html("button", legend, "", "");
      button.type = "button";
      const sample = element("svg", { width: 28, height: 10, "aria-hidden": "true" }, button);
      const { colour, dash } = style(index);
      element("path", { d: "M1 5H27", stroke: colour, "stroke-dasharray": dash, "stroke-width": 2.5 }, sample);
      html("span", button, "", series.name);
      const show = () => button.setAttribute("aria-pressed", String(!off.has(series.name)));
      button.addEventListener("click", () => {
        if (!off.delete(series.name)) off.add(series.name);
        show();
        draw();
      });
      show();
    });
    if (spec.kind === "points") legend.hidden = true;

    function draw() {
      box.querySelector("svg")?.remove();
      const width = Math.max(280, box.clientWidth), height = Math.min(340, Math.max(230, width * 0.52));
      const drawn = spec.series.map((series, index) => ({ ...series, index })).filter(({ name }) => !off.has(name));
      const every = drawn.flatMap((series) => series.points);
      const picture = element("svg", { width, height, role: "img", "aria-label": spec.label }, box);
      if (!every.length) return;
      const xs = axis(every.map((point) => point[0]), false, spec.x.fixed);
      const positive = every.every((point) => point[1] > 0);
      const values = every.map((point) => point[1]);
      const wide = spec.y.log && positive && Math.max(...values) > 20 * Math.min(...values);
      const ys = axis(values, wide, spec.y.fixed);
      const px = (v) => LEFT + xs.to(v) * (width - LEFT - RIGHT);
      const py = (v) => height - BOTTOM - ys.to(v) * (height - TOP - BOTTOM);
      for (const tick of xs.marks) {
        if (px(tick) > width - RIGHT + 1) continue;
        element("path", { class: "grid", d: `M${px(tick)} ${TOP}V${height - BOTTOM}` }, picture);
        element("text", { x: px(tick), y: height - BOTTOM + 16, "text-anchor": "middle" }, picture).textContent = text(tick);
      }
      for (const tick of ys.marks) {
        element("path", { class: "grid", d: `M${LEFT} ${py(tick)}H${width - RIGHT}` }, picture);
        element("text", { x: LEFT - 6, y: py(tick) + 4, "text-anchor": "end" }, picture).textContent = text(tick);
      }
      const middle = LEFT + (width - LEFT - RIGHT) / 2;
      element("text", { x: middle, y: height - 6, "text-anchor": "middle", class: "axis" }, picture).textContent = spec.x.label;
      const turned = { x: 0, y: 0, transform: `translate(13 ${(height - BOTTOM) / 2}) rotate(-90)`, "text-anchor": "middle", class: "axis" };
      element("text", turned, picture).textContent = spec.y.label;
      const clip = `clip${Math.random().toString(36).slice(2)}`;
      const clipped = element("clipPath", { id: clip }, picture);
      element("rect", { x: LEFT, y: 0, width: width - LEFT - RIGHT + 4, height: height - BOTTOM + 4 }, clipped);
      if (spec.front) drawFront(picture, spec.front, px, py);
      for (const series of drawn) drawSeries(picture, series, px, py, clip);
      listen(picture, drawn, px, py, width);
    }

    function drawFront(picture, points, px, py) {
      const path = points.map(([x, y], i) => (i ? `H${px(x)}V${py(y)}` : `M${px(x)} ${py(y)}`)).join("");
      element("path", { d: path, class: "front" }, picture);
    }

    function drawSeries(picture, series, px, py, clip) {
      const { colour, dash } = style(series.index);
      const points = series.points;
      if (spec.kind === "points" || points.length === 1) {
        const [x, y] = points[0];
        const shape = SHAPES[series.index % SHAPES.length];
        element("path", { d: marks(shape, px(x), py(y), 6), fill: colour, class: "point" }, picture);
        return;
      }
      const step = spec.kind === "step";
      const path = points.map(([x, y], i) => {
        if (!i) return `M${px(x)} ${py(y)}`;
        return step ? `H${px(x)}V${py(y)}` : `L${px(x)} ${py(y)}`;
      });
      element("path", { d: path.join(""), stroke: colour, "stroke-dasharray": dash, class: "line", "clip-path": `url(#${clip})` }, picture);
    }

    function listen(picture, drawn, px, py, width) {
      const cursor = element("path", { class: "cursor" }, picture);
      const move = (event) => {
        const bounds = picture.getBoundingClientRect();
        const [x, y] = [event.clientX - bounds.left, event.clientY - bounds.top];
        tip.replaceChildren();
        if (spec.kind === "points") {
          const far = (s) => Math.hypot(px(s.points[0][0]) - x, py(s.points[0][1]) - y);
          const near = drawn.reduce((best, s) => (far(s) < far(best) ? s : best));
          html("b", tip, "", near.name);
          html("div", tip, "", `${text(near.points[0][0])} ${spec.x.unit}, ${text(near.points[0][1])} ${spec.y.unit}`);
          if (near.note) html("div", tip, "", near.note);
        } else {
          const at = drawn.flatMap((s) => s.points).reduce((best, p) => (Math.abs(px(p[0]) - x) < Math.abs(px(best[0]) - x) ? p : best));
          cursor.setAttribute("d", `M${px(at[0])} ${TOP}V${picture.clientHeight - BOTTOM}`);
          html("b", tip, "", `${spec.x.name} ${text(at[0])}`);
          for (const series of drawn.slice(0, SHOWN)) {
            const point = valueAt(series.points, at[0]);
            if (!point) continue;
            const line = html("div", tip);
            html("i", line).style.background = style(series.index).colour;
            html("span", line, "", `${text(point[1])}  ${series.name}`);
          }
        }
        tip.style.display = "block";
        tip.style.left = `${Math.max(0, x > width / 2 ? x - tip.offsetWidth - 14 : Math.min(x + 14, width - tip.offsetWidth))}px`;
        tip.style.top = "14px";
      };
      picture.addEventListener("pointermove", move);
      picture.addEventListener("pointerdown", move);
      picture.addEventListener("pointerleave", () => { tip.style.display = "none"; cursor.removeAttribute("d"); });
    }

    // Of a step function the last point at or left of x; of a line the nearest one.
    function valueAt(points, x) {
      if (spec.kind === "step") return points.filter((point) => point[0] <= x).at(-1);
      const near = points.reduce((best, p) => (Math.abs(p[0] - x) < Math.abs(best[0] - x) ? p : best), points[0]);
      return x < points[0][0] || x > points.at(-1)[0] ? undefined : near;
    }

    draw();
    let last = box.clientWidth;
    new ResizeObserver(() => {
      if (box.clientWidth !== last) { last = box.clientWidth; draw(); }
    }).observe(box);
  }

  // NME with its interval, one row a model; the marker says the role.
  function intervals(host, spec) {
    const box = html("div", host, "chart");
    const roles = ["teacher", "student", "baseline", "model"];
    const draw = () => {
      box.replaceChildren();
      const width = Math.max(280, box.clientWidth), row = 44, height = row * spec.series.length + 46;
      const picture = element("svg", { width, height, role: "img", "aria-label": spec.label }, box);
      const xs = axis(spec.series.flatMap((s) => [s.low, s.high]), false);
      const px = (v) => 12 + xs.to(v) * (width - 90);
      for (const tick of xs.marks) {
        element("path", { class: "grid", d: `M${px(tick)} 0V${height - 38}` }, picture);
        element("text", { x: px(tick), y: height - 22, "text-anchor": "middle" }, picture).textContent = text(tick);
      }
      element("text", { x: width / 2, y: height - 4, "text-anchor": "middle", class: "axis" }, picture).textContent = spec.x.label;
      spec.series.forEach((series, index) => {
        const role = Math.max(0, roles.indexOf(series.role)), y = index * row + 30;
        const colour = COLOURS[role];
        element("text", { x: 12, y: y - 14 }, picture).textContent = `${series.role}: ${series.name}`;
        element("path", { d: `M${px(series.low)} ${y}H${px(series.high)}`, stroke: colour, "stroke-width": 3 }, picture);
        element("path", { d: marks(SHAPES[role], px(series.value), y, 6), fill: colour, class: "point" }, picture);
        element("text", { x: px(series.high) + 10, y: y + 4 }, picture).textContent = text(series.value);
      });
    };
    draw();
    let last = box.clientWidth;
    new ResizeObserver(() => {
      if (box.clientWidth !== last) { last = box.clientWidth; draw(); }
    }).observe(box);
  }

  // A chart whose series are chosen from a list.
  function chooser(host, spec) {
    const label = html("label", host, "chooser", "Value ");
    const select = html("select", label);
    const inner = html("div", host);
    for (const name of Object.keys(spec.values)) html("option", select, "", name).value = name;
    const draw = () => {
      inner.replaceChildren();
      chart(inner, { ...spec, series: spec.values[select.value], y: { ...spec.y, label: select.value }, label: select.value });
    };
    if (spec.chosen) select.value = spec.chosen;
    select.addEventListener("change", draw);
    draw();
  }

  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      head.firstElementChild.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const key = (row) => row.cells[column].dataset.value;
        const compare = (a, b) => {
          const [first, other] = [key(a), key(b)];
          if (first === "" || other === "") return (first === "") - (other === ""); // what was not measured comes last
          const numeric = head.classList.contains("number");
          const order = numeric ? Number(first) - Number(other) : first.localeCompare(other);
          return up ? order : -order;
        };
        table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
      });
    });
  }

  const KINDS = { line: chart, step: chart, points: chart, intervals, chooser };
  for (const host of document.querySelectorAll("[data-chart]")) {
    const spec = DATA[host.dataset.chart];
    KINDS[spec.kind === "choose" ? "chooser" : spec.kind](host, spec);
  }
  document.querySelectorAll("table.sortable").forEach(sortable);
})();
