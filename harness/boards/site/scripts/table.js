// The standings: sorting, searching and filtering are TanStack Table's; the cells are real table cells
// with text. Cited entries and references stand in parts of their own, however the table is sorted, so
// that nobody takes them for ranked ones.
//
// Rows are grids of equal columns, so that a browser can leave out the layout of those that are out of
// sight (content-visibility): all rows are in the page for search and screen readers, and a sort of
// 500 takes a tenth of the time. Roles are written out, since a grid row has none by itself.

const Standings = (() => {
  const { make } = Steps;
  const { data } = Site;
  const table = document.getElementById("table");
  const ORDER = Object.keys(Site.SECTIONS);

  const WORDS = [
    "authors",
    "model",
    "base",
    "training_data",
    "training_domains",
    "recipe",
    "licence",
  ];
  for (const entry of data.entries) {
    const said = [
      entry.name,
      entry.id,
      entry.role,
      entry.trust,
      ...WORDS.map((key) => entry.card[key]),
    ];
    entry.words = said.flat().filter(Boolean).join(" ").toLowerCase();
  }

  const ofId = new Map(Columns.shown.map((column) => [column.id, column]));

  const model = TableCore.createTable({
    data: data.entries,
    columns: Columns.all.map((column) => ({
      sortingFn: "basic",
      sortUndefined: "last",
      filterFn: column.id === "domain" ? "arrIncludes" : "equals",
      ...column,
    })),
    state: {},
    onStateChange: () => {},
    renderFallbackValue: null,
    getRowId: (entry) => entry.id,
    getCoreRowModel: TableCore.getCoreRowModel(),
    getFilteredRowModel: TableCore.getFilteredRowModel(),
    getSortedRowModel: TableCore.getSortedRowModel(),
    globalFilterFn: (row, _, wanted) => wanted.every((word) => row.original.words.includes(word)),
    getColumnCanGlobalFilter: () => true,
  });

  const sorting = (state) => {
    const desc = state.sort.startsWith("-");
    const id = state.sort.slice(desc ? 1 : 0);
    return ofId.has(id) ? { id, desc } : { id: "rank", desc: false };
  };
  const filters = (state) => {
    const level = data.levels.indexOf(state.trust);
    return [
      ...(level >= 0 ? [{ id: "trust", value: level }] : []),
      ...(state.domain ? [{ id: "domain", value: state.domain }] : []),
    ];
  };
  // The entries that pass the filters, in the order of the table.
  const visible = (state) => {
    const wanted = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    model.setOptions((options) => ({
      ...options,
      state: {
        ...model.initialState,
        sorting: [{ id: "section", desc: false }, sorting(state)],
        columnFilters: filters(state),
        globalFilter: wanted.length ? wanted : undefined,
      },
    }));
    return model.getRowModel().rows.map((row) => row.original);
  };

  let rows = new Map();
  const shown = (state) => {
    const hidden = state.hide.split(",");
    return Columns.shown.filter((column) => column.fixed || !hidden.includes(column.id));
  };
  // Widths in rem: the choice, then each column; names take what is left.
  const phone = matchMedia("(max-width: 40rem)");
  const WIDE = { choose: 2.4, rank: 5, name: 15, score: 15, trust: 9.5 };
  const NARROW = { ...WIDE, choose: 2, rank: 3.8, name: 8.4, score: 6.3 };
  const widthOf = ({ id, title, over = "" }) =>
    (phone.matches ? NARROW : WIDE)[id] ??
    Math.min(14, Math.max(6.9, 1.8 + 0.56 * title.length, over ? 8.6 : 0));
  const measure = (state) => {
    const widths = shown(state).map((column) => [widthOf(column), column.id === "name"]);
    const tracks = widths.map(([width, grows]) =>
      grows ? `minmax(${width}rem, 1fr)` : `${width}rem`,
    );
    const choose = widthOf({ id: "choose" });
    table.style.setProperty("--tracks", `${choose}rem ${tracks.join(" ")}`);
    table.style.setProperty(
      "--least",
      `${widths.reduce((sum, [width]) => sum + width, choose)}rem`,
    );
  };
  const part = (tag, className, role) => {
    const element = make(tag, className);
    element.setAttribute("role", role);
    return element;
  };
  const row = (entry, state) => {
    const made = rows.get(entry.id);
    if (made) return made;
    const element = part("tr", entry.group ? `group-${entry.group % 2}` : "", "row");
    element.dataset.id = entry.id;
    const choose = part("td", "choose", "cell");
    const box = make("input");
    box.type = "checkbox";
    box.checked = state.choose.includes(entry.id);
    box.setAttribute("aria-label", `Compare ${entry.name}`);
    box.addEventListener("change", () => {
      const others = Address.state.choose.filter((id) => id !== entry.id);
      Address.set({ choose: box.checked ? [...others, entry.id] : others });
    });
    choose.append(box);
    element.append(choose);
    for (const column of shown(state)) {
      const heads = column.id === "name";
      const kind = `${column.task ? "task" : column.id}${column.text ? "" : " right"}`;
      const cell = part(heads ? "th" : "td", kind, heads ? "rowheader" : "cell");
      column.draw(cell, entry);
      element.append(cell);
    }
    rows.set(entry.id, element);
    return element;
  };

  // A task's name, which may break after an underscore.
  const over = (name) => {
    const element = make("span", "over");
    name.split(/(?<=_)/).forEach((word) => element.append(word, make("wbr")));
    return element;
  };
  const head = (state) => {
    measure(state);
    const line = part("tr", "", "row");
    const choose = part("th", "choose", "columnheader");
    choose.append(make("span", "unseen", "Choose to compare"));
    line.append(choose);
    for (const column of shown(state)) {
      const kind = `${column.task ? "task" : column.id}${column.text ? "" : " right"}`;
      const cell = part("th", kind, "columnheader");
      cell.dataset.column = column.id;
      const press = Site.button(column.title, null, () => {
        const now = sorting(Address.state);
        const desc = now.id === column.id ? !now.desc : column.first;
        Address.set({ sort: `${desc ? "-" : ""}${column.id}` });
      });
      if (column.note) press.title = column.note;
      if (column.over) press.prepend(over(column.over));
      cell.append(press);
      line.append(cell);
    }
    table.tHead.replaceChildren(line);
  };

  const body = (section, entries, state) => {
    const element = part("tbody", section, "rowgroup");
    const title = part("tr", "section", "row");
    const cell = part("th", "", "rowheader");
    cell.textContent = Site.SECTIONS[section];
    title.append(cell);
    element.append(...(section === "ranked" ? [] : [title]), ...entries.map((e) => row(e, state)));
    return element;
  };

  const draw = (state, changed) => {
    if (changed.has("hide")) {
      rows = new Map();
      head(state);
    }
    const entries = visible(state);
    for (const old of [...table.tBodies]) old.remove();
    for (const section of ORDER) {
      const own = entries.filter((entry) => entry.section === section);
      if (own.length) table.append(body(section, own, state));
    }
    if (!entries.length) {
      const [none, line] = [part("tbody", "", "rowgroup"), part("tr", "section", "row")];
      const cell = part("td", "empty", "cell");
      cell.textContent = "Nothing matches these filters.";
      line.append(cell);
      none.append(line);
      table.append(none);
    }
    const now = sorting(state);
    for (const cell of table.tHead.rows[0].cells) {
      if (cell.dataset.column === now.id) {
        cell.setAttribute("aria-sort", now.desc ? "descending" : "ascending");
      } else cell.removeAttribute("aria-sort");
    }
    const count = document.getElementById("count");
    count.textContent = `${entries.length} of ${data.entries.length} entries`;
    document.getElementById("reset").hidden = !(state.q || state.trust || state.domain);
  };
  const mark = (state) => {
    for (const [id, element] of rows) {
      const chosen = state.choose.includes(id);
      element.classList.toggle("chosen", chosen);
      element.querySelector("input").checked = chosen;
    }
  };

  table.addEventListener("click", (event) => {
    if (event.target.closest("button, a, input, .choose") || getSelection().toString()) return;
    const line = event.target.closest("tr[data-id]");
    if (line) Address.set({ prm: line.dataset.id });
  });
  phone.addEventListener("change", () => measure(Address.state));
  const DRAWN_BY = ["sort", "q", "trust", "domain", "hide"];
  Address.onChange((state, changed) => {
    if (DRAWN_BY.some((key) => changed.has(key))) draw(state, changed);
    if (changed.has("choose") || changed.has("hide")) mark(state);
  });
  return { visible };
})();
