// The chosen entries side by side: figures with intervals, and differences from one of them. A paired
// interval is shown where the board has one; the difference of two figures is shown without.

(() => {
  const { make } = Steps;
  const { data, percent, range, points, pointsRange, chance, amount } = Site;
  const dialog = document.getElementById("compare");
  const tray = document.getElementById("tray");
  const chosen = (state) => state.choose.map((id) => Site.entries.get(id)).filter(Boolean);

  const drawTray = (state) => {
    const all = chosen(state);
    tray.hidden = !all.length;
    document.body.classList.toggle("with-tray", all.length > 0);
    const list = make("ul");
    for (const entry of all) {
      const item = make("li");
      const drop = Site.button("✕", `Remove ${entry.name}`, () =>
        Address.set({ choose: Address.state.choose.filter((id) => id !== entry.id) }),
      );
      item.append(make("span", "", entry.name), drop);
      list.append(item);
    }
    const open = Site.button(
      all.length < 2 ? "Choose one more" : `Compare ${all.length}`,
      null,
      () => Address.set({ compare: all[0].id }),
    );
    open.className = "primary";
    open.disabled = all.length < 2;
    tray.replaceChildren(
      list,
      open,
      Site.button("Clear", null, () => Address.set({ choose: [] })),
    );
  };

  // In words: what may be said of a against b.
  const verdict = (a, b) => {
    const pair = Site.pairOf(a, b);
    if (!pair) {
      const cited = [a, b].some((entry) => entry.section === "published");
      const why = cited
        ? "at least one is cited, so nothing is paired"
        : a.rank && b.rank
          ? "this page keeps no paired difference for them"
          : "only ranked entries are paired";
      return `${a.name} and ${b.name}: ${why}.`;
    }
    const { difference, low, high, p } = pair;
    const size = `${points(difference)} points ${pointsRange(low, high)}, ${chance(p)} after Holm`;
    if (p >= 0.05) return `${a.name} and ${b.name} are not told apart: ${size}.`;
    return `${a.name} scores ${difference > 0 ? "higher" : "lower"} than ${b.name}: ${size}.`;
  };

  const cell = (found, against) => {
    const element = make("td", "right");
    if (!found) {
      element.append(make("span", "none", "–"));
      return element;
    }
    element.append(make("span", "value", percent(found[0])));
    if (found[1] !== null) element.append(make("span", "range", range(found[1], found[2])));
    if (against) element.append(against);
    return element;
  };
  const apart = (a, b) => {
    if (!a || !b) return null;
    return make("span", "apart", `${points(a[0] - b[0])} points`);
  };
  const paired = (entry, base, column) => {
    const pair = Site.pairOf(entry, base, column);
    if (!pair) return null;
    const way = pair.difference > 0 ? ["better", "higher"] : ["worse", "lower"];
    const [kind, word] = pair.p < 0.05 ? way : ["", "not told apart"];
    const element = make("span", `apart paired ${kind}`.trim());
    const text = `${points(pair.difference)} points ${pointsRange(pair.low, pair.high)}`;
    element.append(make("span", "", text), make("span", "word", word));
    return element;
  };

  const sheet = (all, base) => {
    const table = make("table", "plain sheet");
    const head = table.createTHead().insertRow();
    const corner = make("td");
    head.append(corner);
    for (const entry of all) {
      const title = make("th", "right");
      title.scope = "col";
      const name = Site.button(entry.name, null, () => Address.set({ compare: "", prm: entry.id }));
      name.className = "name";
      title.append(name, Site.badge(entry.trust));
      head.append(title);
    }
    const body = table.createTBody();
    const line = (label, draw) => {
      const row = body.insertRow();
      const title = make("th", "", label);
      title.scope = "row";
      row.append(title, ...all.map(draw));
    };
    const rankOf = (e) =>
      [e.rank ? e.rank[0] : "–", Site.rankText(e) && `(${Site.rankText(e)})`].join(" ");
    const plain = (text) => make("td", "right", text);
    line("Rank", (e) => plain(rankOf(e)));
    line("Tie group", (e) => plain(e.group ? String(e.group) : "–"));
    line("Score", (e) => cell(Site.figureOf(e), e === base ? null : paired(e, base)));
    data.columns.forEach((column, place) => {
      const cited = base.section === "published";
      line(column.label, (e) => {
        const free = e === base || cited || e.section === "published" || Site.isCost(column);
        if (free) return cell(e.values[place], null);
        const plain = () => apart(e.values[place], base.values[place]);
        return cell(e.values[place], paired(e, base, place) ?? plain());
      });
    });
    for (const cost of Site.COSTS) {
      if (!all.some((e) => Site.costOf(e, cost.key) !== null)) continue;
      line(cost.short, (e) => plain(amount(Site.costOf(e, cost.key), cost.key)));
    }
    line("Trained on", (e) => plain((e.card.training_domains ?? []).join(", ") || "–"));
    line("Contamination", (e) => plain(e.card.contamination?.replace("-", " ") ?? "–"));
    line("Licence", (e) => plain(e.card.licence ?? "–"));
    const scroll = make("div", "scroll");
    Object.assign(scroll, { tabIndex: 0, role: "region", ariaLabel: "Figures side by side" });
    scroll.append(table);
    return scroll;
  };

  const show = (state) => {
    const all = chosen(state);
    const base = all.find((entry) => entry.id === state.compare) ?? all[0];
    const others = all.filter((entry) => entry !== base);
    if (!dialog.open) dialog.showModal();
    const bar = make("div", "bar");
    const label = make("label", "", "Against ");
    const pick = make("select");
    Site.fill(
      pick,
      all.map((entry) => [entry.id, entry.name]),
      base.id,
    );
    pick.addEventListener("change", () => {
      Address.set({ compare: pick.value });
      dialog.querySelector("select").focus();
    });
    label.append(pick);
    bar.append(label, make("span", "grow"), Site.copyButton("Copy link", Address.link));
    bar.append(Site.button("✕", "Close", () => dialog.close()));
    const title = make("h2", "", "Comparison");
    title.id = "compare-title";
    title.tabIndex = -1;
    const body = make("div", "content");
    const said = make("ul", "findings");
    said.append(...others.map((entry) => make("li", "", verdict(entry, base))));
    body.append(title, said);
    dialog.replaceChildren(bar, body);
    const plot = Charts.differences(base, others);
    if (plot) {
      body.append(plot);
      body.append(
        make(
          "p",
          "note",
          "Paired differences of the score with 95 % intervals; filled points are told apart after Holm's correction over the board.",
        ),
      );
    }
    body.append(sheet(all, base));
    body.append(
      make(
        "p",
        "note",
        "Differences with an interval are paired by problem, each interval for itself alone; higher or lower is what holds after Holm's correction: of scores over all pairs of the board, of tasks over all pairs and ranked columns. Without an interval they are those of the two figures above.",
      ),
    );
    title.focus();
  };

  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    dialog.replaceChildren();
    if (Address.state.compare) Address.set({ compare: "" });
  });
  Address.onChange((state, changed) => {
    if (changed.has("choose")) drawTray(state);
    if (!changed.has("compare") && !(dialog.open && changed.has("choose"))) return;
    if (state.compare && chosen(state).length > 1) show(state);
    else if (dialog.open) dialog.close();
  });
})();
