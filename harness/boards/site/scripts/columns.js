// The columns of the standings: how each sorts (accessorFn, unknown last), what its heading and its
// cells say.

const Columns = (() => {
  const { make } = Steps;
  const { data, percent, range, amount, rankText } = Site;
  const order = Object.keys(Site.SECTIONS);
  const byText = (a, b, id) =>
    String(a.getValue(id)).localeCompare(String(b.getValue(id)), "en", { numeric: true });
  const known = (value) => (value === null ? undefined : value);

  // Of the PRMs alone: a baseline far below them would leave their intervals no room.
  const prms = data.entries.filter((entry) => entry.score && entry.role === "prm");
  const intervals = prms.length ? prms.map((entry) => entry.score) : [[0, 0, 1]];
  const scale = {
    low: Math.max(0, Math.min(...intervals.map(([v, low]) => low ?? v)) - 0.01),
    high: Math.min(1, Math.max(...intervals.map(([v, , high]) => high ?? v)) + 0.01),
  };
  const whisker = ([value, low, high]) => {
    const within = (share) =>
      Math.min(1, Math.max(0, (share - scale.low) / (scale.high - scale.low)));
    const place = (share) => `${100 * within(share)}%`;
    const element = make("span", "whisker");
    element.setAttribute("aria-hidden", "true");
    if (low !== null) {
      const bar = make("i", "bar");
      bar.style.left = place(low);
      bar.style.width = `calc(${place(high)} - ${place(low)})`;
      element.append(bar);
    }
    const dot = make("i", "dot");
    dot.style.left = place(value);
    element.append(dot);
    return element;
  };
  const figure = (cell, found) => {
    if (!found) return cell.append(make("span", "none", "–"));
    cell.append(make("span", "value", percent(found[0])));
    if (found[1] !== null) cell.append(make("span", "range", range(found[1], found[2])));
  };

  const all = [
    { id: "section", accessorFn: (e) => order.indexOf(e.section), hidden: true },
    {
      id: "rank",
      title: "Rank",
      note: "95 % interval of the rank",
      fixed: true,
      first: false,
      accessorFn: (e) => known(e.rank && e.rank[0]),
      draw: (cell, e) => {
        if (!e.rank) return cell.append(make("span", "none", "–"));
        cell.append(make("span", "value", String(e.rank[0])));
        if (rankText(e)) cell.append(make("span", "range", rankText(e)));
        cell.append(make("span", "unseen", `, tie group ${e.group}`));
      },
    },
    {
      id: "name",
      title: "PRM",
      text: true,
      fixed: true,
      first: false,
      sortingFn: byText,
      accessorFn: (e) => e.name,
      draw: (cell, e) => {
        const open = Site.button(e.name, null, () => Address.set({ prm: e.id }));
        open.className = "name";
        open.dir = "auto";
        const { authors = [], base } = e.card;
        const kind = e.role === "prm" ? [] : [e.role];
        const under = [...kind, ...authors.slice(0, 2), base && `from ${base}`].filter(Boolean);
        cell.append(open);
        if (!under.length) return;
        const line = make("span", "under", under.join(" · "));
        line.title = line.textContent;
        cell.append(line);
      },
    },
    {
      id: "score",
      title: "Score",
      note: "mean of the ranked columns",
      fixed: true,
      first: true,
      accessorFn: (e) => known(Site.figureOf(e)?.[0] ?? null),
      draw: (cell, e) => {
        const found = Site.figureOf(e);
        if (found && e.score) cell.append(whisker(found));
        const text = make("span", "text");
        figure(text, found);
        cell.append(text);
      },
    },
    {
      id: "trust",
      title: "Trust",
      text: true,
      first: true,
      accessorFn: (e) => data.levels.indexOf(e.trust),
      draw: (cell, e) => cell.append(Site.badge(e.trust)),
    },
    ...data.columns
      .map((column, place) => ({
        id: `c${place}`,
        title: column.title,
        over: column.over,
        label: column.label,
        task: true,
        first: true,
        ranked: column.ranked,
        note:
          [column.task, column.method, column.budget && `n = ${column.budget}`, column.metric]
            .filter(Boolean)
            .join(", ") + (column.ranked ? "" : "; not part of the score"),
        accessorFn: (e) => known(e.values[place]?.[0] ?? null),
        draw: (cell, e) => figure(cell, e.values[place]),
      }))
      .sort((a, b) => b.ranked - a.ranked),
    ...Site.COSTS.map((cost) => ({
      id: cost.key,
      title: cost.short,
      note: cost.title,
      first: false,
      accessorFn: (e) => known(Site.costOf(e, cost.key)),
      draw: (cell, e) => cell.append(make("span", "", amount(Site.costOf(e, cost.key), cost.key))),
    })).filter((column) => data.entries.some((e) => column.accessorFn(e) !== undefined)),
    { id: "domain", accessorFn: (e) => e.card.training_domains ?? [], hidden: true },
  ];
  return { all, shown: all.filter((column) => !column.hidden) };
})();
