// Accuracy against cost, with intervals: the entries that the table shows. A point names its PRM when
// it is pointed at or reached by the keyboard (arrow keys), and opens its details when pressed.

(() => {
  const { make } = Steps;
  const { data, costOf, figureOf, range, amount } = Site;
  const place = document.getElementById("scatter");
  const pickY = document.getElementById("pick-y");
  const pickX = document.getElementById("pick-x");
  const tip = make("div", "tip");
  const MARGIN = 46; // for the labels of the upright axis
  tip.hidden = true;

  const known = (key) =>
    key === "written"
      ? data.columns.some(Site.isCost)
      : data.entries.some((e) => costOf(e, key) !== null);
  const costs = Site.COSTS.filter((cost) => known(cost.key));
  const columnOf = (state) => {
    const found = data.columns.findIndex((c) => c.id === state.y && !Site.isCost(c));
    return found < 0 ? undefined : found;
  };
  const costKey = (state) => (costs.find((cost) => cost.key === state.x) ?? costs[0])?.key;

  const pointsOf = (state) => {
    const [column, key] = [columnOf(state), costKey(state)];
    return Standings.visible(state).flatMap((entry) => {
      const [figure, cost] = [figureOf(entry, column), costOf(entry, key, column)];
      if (!figure || !cost || entry.role === "reference") return [];
      const [y, low, high] = figure;
      return [
        {
          entry,
          x: cost,
          y: 100 * y,
          low: low === null ? null : 100 * low,
          high: high === null ? null : 100 * high,
        },
      ];
    });
  };
  // Nobody is at once cheaper and better; cited figures do not count.
  const frontier = (points) => {
    let best = -Infinity;
    return points
      .filter((p) => p.entry.section === "ranked")
      .sort((a, b) => a.x - b.x || b.y - a.y)
      .filter((p) => (p.y > best ? ((best = p.y), true) : false));
  };
  const lines = (state) => {
    const column = columnOf(state);
    return data.entries.flatMap((entry) => {
      const figure = entry.role === "reference" ? figureOf(entry, column) : null;
      return figure ? [{ entry, y: 100 * figure[0] }] : [];
    });
  };

  const describe = ({ entry, x, y, low, high }, key) => {
    const shown = `${y.toFixed(1)} ${low === null ? "" : range(low / 100, high / 100)}`.trim();
    return [entry.name, shown, `${amount(x, key)} ${Site.COSTS.find((c) => c.key === key).short}`];
  };
  const showTip = (circle, point, key) => {
    const [name, shown, cost] = describe(point, key);
    tip.replaceChildren(make("strong", "", name), make("span", "", shown), make("span", "", cost));
    tip.append(Site.badge(point.entry.trust));
    tip.hidden = false;
    const [outer, inner] = [place.getBoundingClientRect(), circle.getBoundingClientRect()];
    const left = inner.left - outer.left + inner.width / 2;
    tip.style.left = `${Math.max(0, Math.min(left + 12, outer.width - tip.offsetWidth))}px`;
    const above = inner.top - outer.top - tip.offsetHeight - 10;
    tip.style.top = `${above > 0 ? above : inner.bottom - outer.top + 10}px`;
  };

  // One stop of the tab key for all points; arrow keys go from one to the next by cost.
  const bind = (circles, points, key) => {
    circles.forEach((circle, i) => {
      const point = points[i];
      const open = () => Address.set({ prm: point.entry.id });
      circle.setAttribute("role", "button");
      circle.setAttribute("tabindex", i === 0 ? "0" : "-1");
      circle.setAttribute("aria-label", describe(point, key).join(", "));
      circle.dataset.id = point.entry.id;
      circle.addEventListener("pointerenter", () => showTip(circle, point, key));
      circle.addEventListener("pointerleave", () => (tip.hidden = true));
      circle.addEventListener("focus", () => showTip(circle, point, key));
      circle.addEventListener("blur", () => (tip.hidden = true));
      circle.addEventListener("click", open);
      circle.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          open();
        } else if (step) {
          event.preventDefault();
          const next = circles[(i + step + circles.length) % circles.length];
          circle.setAttribute("tabindex", "-1");
          next.setAttribute("tabindex", "0");
          next.focus();
        }
      });
    });
  };
  // A name stands right of its point, or left of it where something is in the way on the right, or
  // nowhere: the points keep their names for those who ask.
  const spread = (figure) => {
    const taken = [...figure.querySelectorAll("circle, .flat-name text")].map((e) =>
      e.getBoundingClientRect(),
    );
    const frame = figure.getBoundingClientRect();
    const free = (box) =>
      box.left > frame.left + MARGIN &&
      box.right < frame.right &&
      !taken.some(
        (b) => box.left < b.right && b.left < box.right && box.top < b.bottom && b.top < box.bottom,
      );
    for (const text of figure.querySelectorAll(".names text")) {
      let box = text.getBoundingClientRect();
      if (!free(box)) {
        text.setAttribute("text-anchor", "end");
        text.setAttribute("dx", "-18");
        box = text.getBoundingClientRect();
      }
      if (free(box)) taken.push(box);
      else text.remove();
    }
  };

  const short = (name) => (name.length > 28 ? `${name.slice(0, 27)}…` : name);
  const draw = (state) => {
    const key = costKey(state);
    if (!key) return;
    const points = pointsOf(state).sort((a, b) => a.x - b.x);
    const note = document.getElementById("scatter-note");
    if (!points.length) {
      const why = "No entry shown has both this figure and this cost; choose another cost.";
      place.replaceChildren(make("p", "", why));
      note.replaceChildren();
      return;
    }
    const edge = frontier(points);
    const flat = lines(state);
    const width = Math.max(320, place.clientWidth || 900);
    const narrow = width < 560;
    const chosen = points.filter((point) => state.choose.includes(point.entry.id));
    const cost = Site.COSTS.find((one) => one.key === key);
    const column = columnOf(state);
    const title = column === undefined ? "score" : data.columns[column].label;
    // The best get their names first, and where there are many points, only those of the line.
    const falling = (a, b) => b.y - a.y;
    const others = points.length > 60 ? [] : points.filter((point) => !edge.includes(point));
    const named = [...edge.toSorted(falling), ...others.sort(falling)];
    const decades = points.length ? Math.log10(points.at(-1).x / points[0].x) : 1;
    const labelled = narrow || decades > 3 ? (decades > 0.6 ? /^1/ : /^[1-9]/) : /^[125]/;
    const figure = Site.plot({
      width,
      height: narrow ? 340 : 460,
      marginLeft: MARGIN,
      marginRight: narrow ? 14 : 24,
      marginTop: 28,
      marginBottom: 44,
      ariaLabel: `${title} against ${cost.title}`,
      x: {
        ...(key === "written" ? { type: "linear", domain: [0, 1] } : { type: "log" }),
        label: `${cost.title}${key === "written" ? "" : " (logarithmic)"} →`,
        grid: true,
        insetLeft: 16,
        insetRight: narrow ? 16 : 110,
        ticks: narrow ? 4 : 8,
        tickFormat: (value) =>
          key === "written" || labelled.test(value.toExponential()) ? amount(value, key) : "",
      },
      y: { label: `↑ ${title}, %`, grid: true, insetTop: 10, insetBottom: 10 },
      marks: [
        Plot.ruleY(flat, { y: "y", className: "flat" }),
        Plot.text(flat, {
          y: "y",
          text: (d) => d.entry.name,
          frameAnchor: "right",
          dy: -7,
          className: "flat-name",
          textAnchor: "end",
        }),
        Plot.line(edge, { x: "x", y: "y", curve: "step-after", className: "edge" }),
        Plot.ruleX(
          points.filter((p) => p.low !== null),
          { x: "x", y1: "low", y2: "high", className: "intervals" },
        ),
        Plot.dot(chosen, { x: "x", y: "y", r: 9, className: "ring" }),
        Plot.dot(points, { x: "x", y: "y", r: points.length > 120 ? 3.5 : 5, className: "points" }),
        Plot.text(named, {
          x: "x",
          y: "y",
          text: (d) => short(d.entry.name),
          textAnchor: "start",
          dx: 9,
          dy: -7,
          className: "names",
        }),
      ],
    });
    place.replaceChildren(figure, tip);
    figure.setAttribute("role", "group");
    for (const names of figure.querySelectorAll(".names"))
      names.setAttribute("aria-hidden", "true");
    const circles = [...figure.querySelectorAll(".points circle")];
    circles.forEach((circle, i) =>
      circle.classList.add(points[i].entry.section, points[i].entry.trust),
    );
    bind(circles, points, key);
    spread(figure);
    tip.hidden = true;
    const absent =
      Standings.visible(state).filter((e) => e.role !== "reference").length - points.length;
    note.textContent =
      "Lines are 95 % intervals. The stepped line joins the PRMs than which none is both cheaper and better." +
      (absent ? ` ${absent} of the entries shown have no such figure or cost.` : "");
    for (const trust of data.levels) {
      if (!points.some((point) => point.entry.trust === trust)) continue;
      const item = make("span", `key ${trust}`);
      item.append(make("i"), make("span", "", trust));
      note.append(item);
    }
  };

  Site.fill(
    pickY,
    [
      ["", "score (mean of the ranked columns)"],
      ...data.columns.filter((c) => !Site.isCost(c)).map((c) => [c.id, c.label]),
    ],
    "",
  );
  Site.fill(
    pickX,
    costs.map((cost) => [cost.key, cost.title]),
    costs[0]?.key ?? "",
  );
  pickY.addEventListener("change", () => Address.set({ y: pickY.value }));
  pickX.addEventListener("change", () => Address.set({ x: pickX.value }));
  if (!costs.length) {
    place.textContent = "No entry of this board says what it costs.";
    pickX.parentElement.hidden = pickY.parentElement.hidden = true;
  }
  let width = 0;
  new ResizeObserver(() => {
    if (place.clientWidth !== width) draw(Address.state);
    width = place.clientWidth;
  }).observe(place);
  const DRAWN_BY = ["q", "trust", "domain", "y", "x", "choose"];
  Address.onChange((state, changed) => {
    if (!DRAWN_BY.some((key) => changed.has(key))) return;
    pickY.value = columnOf(state) === undefined ? "" : state.y;
    pickX.value = costKey(state) ?? "";
    draw(state);
  });
})();
