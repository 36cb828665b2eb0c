// What every part of the page needs: the data, elements, numbers in words.

const Site = (() => {
  const { make, fill } = Steps;
  const data = JSON.parse(document.getElementById("data").textContent);
  const entries = new Map(data.entries.map((entry) => [entry.id, entry]));
  const ranked = new Map(data.entries.filter((e) => e.rank).map((entry, i) => [entry.id, i]));

  // A column's title alone where it says which one is meant, else with its task.
  const titles = data.columns.map((column) => column.title);
  const clear = new Set(titles).size === titles.length;
  for (const column of data.columns) {
    column.over = clear ? "" : column.task;
    column.label = clear ? column.title : `${column.task}, ${column.title}`;
  }

  const SECTIONS = {
    ranked: "Ranked",
    reference: "Figures of the pools: no PRM, no rank",
    unranked: "Not ranked: a ranked column is missing, or the trust is too low",
    published: "Cited from publications: not recomputed, not ranked",
  };
  const sectionOf = (entry) => {
    if (entry.rank) return "ranked";
    if (entry.trust === "published") return "published";
    return entry.role === "reference" ? "reference" : "unranked";
  };
  for (const entry of data.entries) entry.section = sectionOf(entry);

  const COSTS = [
    { key: "flops", title: "PRM FLOPs per problem", short: "PRM FLOPs" },
    { key: "prm_tokens", title: "PRM tokens per problem", short: "PRM tokens" },
    { key: "policy_tokens", title: "policy tokens per problem", short: "policy tokens" },
    { key: "seconds", title: "seconds per problem, as measured", short: "seconds" },
    { key: "parameters", title: "parameters of the PRM", short: "parameters" },
    { key: "written", title: "share of the steps that is written", short: "of the steps" },
  ];
  // What a replayed search writes is a column of its own, beside that of its accuracy.
  const isCost = (column) => column.metric === "written";
  const written = (entry, column) => {
    const id = data.columns[column]?.id.replace(/accuracy$/, "written");
    return entry.values[data.columns.findIndex((c) => c.id === id && isCost(c))]?.[0] ?? null;
  };
  // Costs of an entry in a column, or, without one, the mean over the ranked columns.
  const costOf = (entry, key, column) => {
    if (key === "parameters") return entry.card.parameters ?? null;
    if (key === "written") return column === undefined ? null : written(entry, column);
    const place = COSTS.findIndex((cost) => cost.key === key);
    const costs = column === undefined ? entry.cost : entry.values[column]?.[4];
    return costs ? costs[place] : null;
  };
  // [value, low, high] of an entry in a column, or, without one, the score that is ranked.
  const figureOf = (entry, column) => {
    if (column !== undefined) return entry.values[column] ?? null;
    return entry.score ?? (entry.mean === null ? null : [entry.mean, null, null]);
  };

  // A tie goes to the even digit, as in the tables; a quarter is the only one that toFixed rounds up.
  const tenths = (value) => (value % 1 === 0.25 ? value - 0.05 : value).toFixed(1);
  const percent = (share) => (share === null ? "–" : tenths(100 * share));
  const range = (low, high) =>
    low === null || high === null ? "" : `[${percent(low)}, ${percent(high)}]`;
  const points = (share) => {
    const text = tenths(Math.abs(100 * share));
    if (Number(text) === 0) return "0.0";
    return `${share < 0 ? "−" : "+"}${text}`;
  };
  const pointsRange = (low, high) => `[${points(low)}, ${points(high)}]`;
  const UNITS = [
    [1e18, "E"],
    [1e15, "P"],
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ];
  const amount = (value, key) => {
    if (value === null || value === undefined) return "–";
    if (key === "written") return `${percent(value)} %`;
    if (key === "seconds") return value < 10 ? value.toPrecision(2) : value.toFixed(1);
    const found = UNITS.find(([size]) => value >= size);
    if (!found) return String(Number(value.toPrecision(3)));
    const unit = key === "parameters" && found[1] === "G" ? "B" : found[1];
    const separator = key === "parameters" ? "" : " ";
    return `${Number((value / found[0]).toPrecision(3))}${separator}${unit}`;
  };
  const chance = (p) => (p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`);
  const rankText = (entry) => {
    if (!entry.rank) return "";
    const [, low, high] = entry.rank;
    return low === high ? "" : `${low}–${high}`;
  };

  // The paired difference a - b of two ranked entries in a column, or, without one, of their scores;
  // null where the page has none.
  const pairOf = (a, b, column) => {
    const [i, j] = [ranked.get(a.id), ranked.get(b.id)];
    const score = column === undefined;
    const kept = score ? data.omitted.paired : data.omitted.paired_by_column;
    const pairs = score ? data.pairs : data.column_pairs[column];
    if (!pairs) return null;
    if (i === undefined || j === undefined || i === j || Math.max(i, j) >= kept) return null;
    const [first, second] = [Math.min(i, j), Math.max(i, j)];
    const place = first * kept - (first * (first + 1)) / 2 + (second - first - 1);
    const found = ["difference", "low", "high", "p"].map((key) => pairs[key][place] ?? null);
    if (found[0] === null) return null;
    const [difference, low, high, p] = found.map((whole) => whole / 1e4);
    if (i < j) return { difference, low, high, p };
    return { difference: -difference, low: -high, high: -low, p };
  };

  const button = (text, label, action) => {
    const element = make("button", "", text);
    element.type = "button";
    if (label) element.setAttribute("aria-label", label);
    element.addEventListener("click", action);
    return element;
  };
  const badge = (trust) => {
    const element = make("span", `badge ${trust}`);
    const meter = make("span", "meter");
    meter.setAttribute("aria-hidden", "true");
    data.levels.forEach((_, i) =>
      meter.append(make("i", i <= data.levels.indexOf(trust) ? "on" : "")),
    );
    element.append(meter, make("span", "", trust));
    return element;
  };
  const say = (text) => {
    document.getElementById("said").textContent = text;
  };
  const copy = async (text, name) => {
    try {
      await navigator.clipboard.writeText(text);
      say(`${name}: done`);
      return true;
    } catch {
      say("The browser does not let this page copy");
      return false;
    }
  };
  // A button that copies, and says on itself whether it did.
  const copyButton = (name, text) => {
    const element = button(name, null, async () => {
      element.textContent = (await copy(text(), name)) ? "Copied" : "Not allowed";
      setTimeout(() => (element.textContent = name), 1500);
    });
    return element;
  };
  // A plot without its own style sheet, which the page's content security policy would refuse, and
  // without the names of its parts ("rule", "dot"), which would be read aloud.
  const plot = (options) => {
    const figure = Plot.plot({ className: "plot", ...options });
    for (const style of figure.querySelectorAll("style")) style.remove();
    for (const part of figure.querySelectorAll("g[aria-label]")) {
      part.dataset.part = part.getAttribute("aria-label");
      part.removeAttribute("aria-label");
    }
    figure.setAttribute("role", "img");
    return figure;
  };

  return {
    data,
    entries,
    ranked,
    SECTIONS,
    COSTS,
    costOf,
    isCost,
    figureOf,
    percent,
    range,
    points,
    pointsRange,
    amount,
    chance,
    rankText,
    pairOf,
    fill,
    button,
    badge,
    say,
    copy,
    copyButton,
    plot,
  };
})();
