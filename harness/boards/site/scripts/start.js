// The controls around the table, light and dark, and the first drawing.

(() => {
  const { make } = Steps;
  const { data } = Site;
  const of = (id) => document.getElementById(id);
  const [search, pickTrust, pickDomain] = [of("search"), of("pick-trust"), of("pick-domain")];

  // --- filters -------------------------------------------------------------------------------

  const number = (test) => data.entries.filter(test).length;
  const levels = data.levels.filter((level) => number((e) => e.trust === level));
  const domains = [...new Set(data.entries.flatMap((e) => e.card.training_domains ?? []))].sort();
  Site.fill(
    pickTrust,
    [["", "any"], ...levels.map((l) => [l, `${l} (${number((e) => e.trust === l)})`])],
    "",
  );
  Site.fill(
    pickDomain,
    [
      ["", "anything"],
      ...domains.map((d) => [d, `${d} (${number((e) => e.card.training_domains?.includes(d))})`]),
    ],
    "",
  );
  pickDomain.parentElement.hidden = domains.length < 2;
  search.addEventListener("input", () => Address.set({ q: search.value }));
  pickTrust.addEventListener("change", () => Address.set({ trust: pickTrust.value }));
  pickDomain.addEventListener("change", () => Address.set({ domain: pickDomain.value }));
  of("reset").addEventListener("click", () => {
    Address.set({ q: "", trust: "", domain: "" });
    search.focus();
  });

  const boxes = new Map();
  for (const column of Columns.shown.filter((one) => !one.fixed)) {
    const label = make("label");
    const box = make("input");
    box.type = "checkbox";
    box.addEventListener("change", () =>
      Address.set({ hide: [...boxes].flatMap(([id, one]) => (one.checked ? [] : [id])).join(",") }),
    );
    boxes.set(column.id, box);
    label.append(box, make("span", "", column.label ?? column.title));
    of("column-list").append(label);
  }
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#columns")) of("columns").open = false;
  });
  of("columns").addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    of("columns").open = false;
    of("columns").querySelector("summary").focus();
  });
  Address.onChange((state) => {
    if (search.value !== state.q) search.value = state.q;
    pickTrust.value = levels.includes(state.trust) ? state.trust : "";
    pickDomain.value = domains.includes(state.domain) ? state.domain : "";
    const hidden = state.hide.split(",");
    for (const [id, box] of boxes) box.checked = !hidden.includes(id);
  });

  // --- what trust means ------------------------------------------------------------------------

  const MEANING = {
    published: "cited from others; never ranked",
    "self-reported": "typed by whoever submitted it",
    recomputed: "every number computed here from submitted step scores",
    "re-run":
      "recomputed, and a seeded slice of the scores was made again on the board's machine and agreed",
  };
  const legend = of("legend");
  for (const level of data.levels) {
    const item = make("span", "item");
    item.append(Site.badge(level), make("span", "", MEANING[level]));
    legend.append(item);
  }
  const { omitted } = data;
  const left = [];
  if (omitted.samples) left.push(`${omitted.samples} more samples`);
  if (omitted.paired < Site.ranked.size)
    left.push(`paired differences beyond rank ${omitted.paired}`);
  if (left.length)
    of("about").append(
      make("p", "note", `Left out of this page for its size: ${left.join(", ")}.`),
    );

  // --- light and dark --------------------------------------------------------------------------

  const theme = of("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const remembered = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // a browser may forbid it to files
    }
  };
  let chosen = remembered();
  const paint = () => {
    const dark = chosen ? chosen === "dark" : system.matches;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    theme.textContent = dark ? "Light" : "Dark";
    theme.setAttribute("aria-label", `${dark ? "Light" : "Dark"} colours`);
  };
  theme.addEventListener("click", () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("theme", chosen);
    } catch {
      // it is not remembered then
    }
    paint();
  });
  system.addEventListener("change", paint);
  paint();

  of("theme").before(Site.copyButton("Copy link", Address.link));
  Address.start();
})();
