// The small plots of the dialogs; each is as wide as its dialog lets it, up to a limit.

const Charts = (() => {
  const { make } = Steps;
  const { data, percent } = Site;
  const wide = (most) => {
    const dialog = document.querySelector("dialog[open]");
    return Math.min(most, Math.max(300, (dialog?.clientWidth ?? most) - 48));
  };
  // Room for the names of an upright axis, at most a share of the width.
  const left = (width, names) => {
    const lines = [...names.values()].flatMap((name) => name.split("\n"));
    const longest = Math.max(...lines.map((line) => line.length));
    return Math.min(0.42 * width, 22 + 6.8 * longest);
  };
  const short = (name, most) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);

  // Every column: this entry's figure and interval, with all others behind it in grey.
  const tasks = (entry) => {
    const rows = data.columns
      .map((column, place) => ({ column, place, found: entry.values[place] }))
      .filter(({ column, found }) => found && !Site.isCost(column));
    if (!rows.length) return null;
    const others = rows.flatMap(({ column, place }) =>
      data.entries.flatMap((e) =>
        e !== entry && e.section === "ranked" && e.values[place]
          ? [{ id: column.id, x: 100 * e.values[place][0] }]
          : [],
      ),
    );
    const own = rows.map(({ column, found: [x, low, high] }) => ({
      id: column.id,
      x: 100 * x,
      low: low === null ? null : 100 * low,
      high: high === null ? null : 100 * high,
    }));
    const width = wide(860);
    // On a phone a name takes two lines: the task, and the figure.
    const title = ({ label }) =>
      width < 520
        ? label
            .split(", ")
            .map((line) => short(line, 17))
            .join("\n")
        : short(label, 40);
    const names = new Map(rows.map(({ column }) => [column.id, title(column)]));
    const figure = Site.plot({
      width,
      height: 58 + 34 * own.length,
      marginTop: 8,
      marginBottom: 38,
      marginLeft: left(width, names),
      marginRight: 16,
      ariaLabel: `Figures of ${entry.name}: ${own.map((r) => `${names.get(r.id)} ${r.x.toFixed(1)}`).join(", ")}`,
      x: { label: "% →", grid: true, nice: true },
      y: {
        label: null,
        domain: [...names.keys()],
        tickFormat: (id) => names.get(id),
      },
      marks: [
        Plot.tickX(others, { x: "x", y: "id", className: "others", insetTop: 8, insetBottom: 8 }),
        Plot.ruleY(
          own.filter((r) => r.low !== null),
          { y: "id", x1: "low", x2: "high", className: "intervals" },
        ),
        Plot.dot(own, { x: "x", y: "id", r: 5.5, className: "own" }),
      ],
    });
    const box = make("div", "chart");
    box.append(figure);
    return box;
  };

  const reliability = ({ task, bins }) => {
    const points = bins.map(([score, right, low, high, n]) => ({ score, right, low, high, n }));
    const most = Math.max(...points.map((point) => point.n));
    const figure = Site.plot({
      width: 320,
      height: 300,
      marginLeft: 44,
      marginBottom: 40,
      marginTop: 20,
      ariaLabel:
        `Reliability on ${task}: ` +
        points.map((b) => `score ${b.score.toFixed(2)}, right ${percent(b.right)} %`).join("; "),
      x: { domain: [0, 1], label: "mean score of the steps →", ticks: 5 },
      y: { domain: [0, 1], label: "↑ share that is right", grid: true, ticks: 5 },
      r: { type: "identity" },
      marks: [
        Plot.link([{}], { x1: 0, y1: 0, x2: 1, y2: 1, className: "diagonal" }),
        Plot.line(points, { x: "score", y: "right", className: "curve" }),
        Plot.ruleX(points, { x: "score", y1: "low", y2: "high", className: "intervals" }),
        Plot.dot(points, {
          x: "score",
          y: "right",
          r: (b) => 3 + 5 * Math.sqrt(b.n / most),
          className: "own",
        }),
      ],
    });
    const box = make("figure", "chart");
    box.append(figure, make("figcaption", "note", `${task}; larger points hold more steps.`));
    return box;
  };

  // The paired differences of the others' scores from that of `base`.
  const differences = (base, others) => {
    const rows = others.flatMap((entry) => {
      const pair = Site.pairOf(entry, base);
      return pair
        ? [
            {
              entry,
              x: 100 * pair.difference,
              low: 100 * pair.low,
              high: 100 * pair.high,
              clear: pair.p < 0.05,
            },
          ]
        : [];
    });
    if (!rows.length) return null;
    const width = wide(860);
    const names = new Map(rows.map(({ entry }) => [entry.id, short(entry.name, 30)]));
    const figure = Site.plot({
      width,
      height: 64 + 36 * rows.length,
      marginTop: 10,
      marginBottom: 40,
      marginLeft: left(width, names),
      marginRight: 16,
      ariaLabel: `Differences from ${base.name} in points`,
      x: { label: `points against ${short(base.name, 40)} →`, grid: true, nice: true },
      y: {
        label: null,
        domain: [...names.keys()],
        tickFormat: (id) => names.get(id),
      },
      marks: [
        Plot.ruleX([0], { className: "zero" }),
        Plot.ruleY(rows, { y: (r) => r.entry.id, x1: "low", x2: "high", className: "intervals" }),
        Plot.dot(rows, {
          x: "x",
          y: (r) => r.entry.id,
          r: 6,
          fill: (r) => (r.clear ? "var(--accent)" : "var(--page)"),
          className: "own",
        }),
      ],
    });
    const box = make("div", "chart");
    box.append(figure);
    return box;
  };

  return { tasks, reliability, differences };
})();
