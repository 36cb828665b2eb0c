// All that the board knows of one entry, in a dialog.

(() => {
  const { make } = Steps;
  const { data, percent, range, amount } = Site;
  const dialog = document.getElementById("details");

  const facts = (pairs) => {
    const list = make("dl");
    for (const [term, value] of pairs) {
      if (value === undefined || value === null || value === "" || value.length === 0) continue;
      const said = make("dd");
      if (value instanceof Node) said.append(value);
      else said.textContent = Array.isArray(value) ? value.join(", ") : String(value);
      list.append(make("dt", "", term), said);
    }
    return list;
  };
  const code = (text) => (text ? make("code", "", text) : undefined);
  const links = (found = []) => {
    if (!found.length) return undefined;
    const list = make("span", "links");
    for (const [label, url, safe] of found) {
      const item = make(safe ? "a" : "span", "", safe ? label : `${label}: ${url}`);
      if (safe) Object.assign(item, { href: url, rel: "noopener noreferrer", target: "_blank" });
      list.append(item);
    }
    return list;
  };

  const sentence = (entry) => {
    if (!entry.rank) {
      if (entry.section === "published") {
        return "Cited from a publication. Nobody recomputed it here, so it has no rank.";
      }
      return entry.section === "reference"
        ? "A figure of the pools that needs no PRM; it has no rank."
        : "Not ranked: it lacks a ranked column, or its trust is too low for this board.";
    }
    const [value, low, high] = entry.score;
    const tied = data.entries.filter((e) => e.group === entry.group).length - 1;
    const [rank, best, worst] = entry.rank;
    const span = best === worst ? "" : ` (the data allow ${best} to ${worst})`;
    const ties = tied
      ? ` It shares its tie group with ${tied} ${tied === 1 ? "other" : "others"}.`
      : " It is alone in its tie group.";
    return `Score ${percent(value)} ${range(low, high)}, rank ${rank}${span} of ${Site.ranked.size}.${ties}`;
  };

  const grid = (heads, lines, label) => {
    const table = make("table", "plain");
    const head = table.createTHead().insertRow();
    heads.forEach(([text, kind]) => {
      const cell = make("th", kind, text);
      cell.scope = "col";
      head.append(cell);
    });
    const body = table.createTBody();
    for (const line of lines) {
      const row = body.insertRow();
      line.forEach((text, i) => {
        const cell = make(i ? "td" : "th", heads[i][1], text);
        if (!i) cell.scope = "row";
        row.append(cell);
      });
    }
    const scroll = make("div", "scroll");
    Object.assign(scroll, { tabIndex: 0, role: "region", ariaLabel: label });
    scroll.append(table);
    return scroll;
  };
  const figures = (entry) => {
    const lines = data.columns.flatMap((column, place) => {
      const found = entry.values[place];
      if (!found) return [];
      const [value, low, high, n, cost, rest] = found;
      const how = [
        rest.aggregation,
        rest.threshold !== undefined && `threshold ${rest.threshold}`,
        rest.replicas && `${rest.replicas} replicas`,
        rest.ungraded && `${rest.ungraded} ungraded`,
        rest.source && `source: ${rest.source}`,
      ]
        .filter(Boolean)
        .join("; ");
      const spent = cost
        ? Site.COSTS.slice(0, 4).map((c, i) => amount(cost[i], c.key))
        : ["–", "–", "–", "–"];
      return [
        [
          column.label,
          percent(value),
          range(low, high),
          n === null ? "–" : String(n),
          how,
          ...spent,
        ],
      ];
    });
    const costs = Site.COSTS.slice(0, 4).map((cost) => [cost.short, "right"]);
    return grid(
      [
        ["task", ""],
        ["%", "right"],
        ["95 % interval", "right"],
        ["items", "right"],
        ["read by", ""],
        ...costs,
      ],
      lines,
      "Figures, task by task",
    );
  };
  const slices = (entry) => {
    const found = new Map();
    for (const [column, facet, ...rest] of entry.slices) {
      const key = `${data.columns[column].label}, by ${facet}`;
      found.set(key, [...(found.get(key) ?? []), rest]);
    }
    return [...found].map(([title, parts]) => {
      const box = make("details", "slices");
      box.append(make("summary", "", title));
      const lines = parts.map(([name, value, low, high, n]) => [
        name,
        percent(value),
        range(low, high),
        String(n),
      ]);
      box.append(
        grid(
          [
            ["part", ""],
            ["%", "right"],
            ["95 % interval", "right"],
            ["items", "right"],
          ],
          lines,
          title,
        ),
      );
      return box;
    });
  };

  const command = (entry) => {
    if (!entry.card.command) return [];
    const box = make("div", "command");
    const text = make("pre", "", entry.card.command);
    Object.assign(text, { tabIndex: 0, role: "region", ariaLabel: "Command" });
    box.append(
      text,
      Site.copyButton("Copy command", () => entry.card.command),
    );
    return [make("h3", "", "Command that made the scores"), box];
  };
  const provenance = (entry) => {
    const { card } = entry;
    const revision = card.revision && `${card.model ?? ""} ${card.revision}`.trim();
    return facts([
      ["Authors", card.authors],
      ["Links", links(card.links)],
      ["Licence", card.licence],
      ["Model", code(revision || card.model)],
      ["Trained from", card.base],
      ["Parameters", card.parameters && amount(card.parameters, "parameters")],
      ["Recipe", code([card.recipe, card.recipe_digest?.slice(0, 12)].filter(Boolean).join(" "))],
      ["Scores mean", card.semantics],
      ["Trained on", card.training_domains],
      ["Training data", card.training_data],
      [
        "Contamination",
        [card.contamination?.replace("-", " "), card.contamination_note].filter(Boolean).join(". "),
      ],
      ["Note", card.note],
      ["Remarks", entry.remarks],
      ...(card.provenance ?? []),
    ]);
  };

  const order = () => Standings.visible(Address.state);
  // To the next entry and on: the button keeps the focus.
  const step = (entry, text, label, by) => {
    const element = Site.button(text, label, () => {
      const all = order();
      const next = all[(all.indexOf(entry) + by + all.length) % all.length];
      Address.set({ prm: next.id });
      dialog.querySelector(`[data-step="${by}"]`).focus();
      Site.say(next.name);
    });
    element.dataset.step = by;
    return element;
  };
  const bar = (entry) => {
    const element = make("div", "bar");
    const chosen = Address.state.choose.includes(entry.id);
    const choose = Site.button(chosen ? "Chosen to compare" : "Compare", null, () => {
      const others = Address.state.choose.filter((id) => id !== entry.id);
      const now = others.length === Address.state.choose.length;
      Address.set({ choose: now ? [...others, entry.id] : others });
      choose.textContent = now ? "Chosen to compare" : "Compare";
      choose.setAttribute("aria-pressed", String(now));
    });
    choose.setAttribute("aria-pressed", String(chosen));
    const copy = Site.copyButton("Copy link", Address.link);
    const close = Site.button("✕", "Close", () => dialog.close());
    element.append(step(entry, "←", "Previous entry", -1), step(entry, "→", "Next entry", 1));
    element.append(make("span", "grow"), choose, copy, close);
    return element;
  };

  const show = (entry) => {
    const title = make("h2", "", entry.name);
    title.id = "details-title";
    title.tabIndex = -1;
    title.dir = "auto";
    const under = make("p", "under");
    under.append(Site.badge(entry.trust), make("span", "", entry.role));
    const body = make("div", "content");
    body.append(title, under, make("p", "lead", sentence(entry)));
    if (!dialog.open) dialog.showModal();
    dialog.replaceChildren(bar(entry), body);
    const plot = Charts.tasks(entry);
    if (plot) {
      const note = "Lines are 95 % intervals, grey ticks the other ranked entries.";
      body.append(make("h3", "", "Task by task"), plot, make("p", "note", note), figures(entry));
    }
    const parts = slices(entry);
    if (parts.length) body.append(make("h3", "", "Parts of the tasks"), ...parts);
    if (entry.calibration.length) {
      const diagrams = make("div", "diagrams");
      diagrams.append(...entry.calibration.map(Charts.reliability));
      body.append(make("h3", "", "Calibration of the step scores"), diagrams);
    }
    const samples = Solutions.section(entry);
    if (samples) body.append(samples);
    body.append(...command(entry), make("h3", "", "Provenance"), provenance(entry));
    body.scrollTop = 0;
    title.focus();
  };

  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // outside of it
  });
  dialog.addEventListener("close", () => {
    dialog.replaceChildren();
    if (Address.state.prm) Address.set({ prm: "", sample: "" });
  });
  Address.onChange((state, changed) => {
    if (!changed.has("prm")) return;
    const entry = Site.entries.get(state.prm);
    if (entry) show(entry);
    else if (dialog.open) dialog.close();
  });
})();
