"use strict";
// Sorts and filters the tables and shows the samples. Text from names and models is only ever
// assigned to textContent.

(() => {
  const { make, fill, scaleOf, legend, block, card } = Steps;

  // --- tables --------------------------------------------------------------------------------

  Tablesort.extend(
    "number",
    () => false,
    (a, b) => Number(b) - Number(a),
  );
  Tablesort.extend(
    "text",
    () => false,
    (a, b) => b.localeCompare(a, "en", { numeric: true }),
  );

  for (const table of document.querySelectorAll("table")) {
    const sorter = new Tablesort(table);
    table.addEventListener("afterSort", () => {
      // What is unknown stands last, whichever way the column is sorted.
      const column = sorter.current.cellIndex;
      const body = table.tBodies[0];
      for (const row of [...body.rows]) {
        if (row.cells[column].dataset.sort === "") body.append(row);
      }
    });
    for (const header of table.tHead.rows[0].cells) {
      header.addEventListener("keydown", (event) => {
        if (event.key === " ") {
          event.preventDefault();
          header.click();
        }
      });
    }
  }

  for (const input of document.querySelectorAll("input[data-table]")) {
    const rows = [...document.getElementById(input.dataset.table).tBodies[0].rows];
    const counter = input.parentElement.querySelector("output");
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      counter.textContent = `${shown} of ${rows.length} lines`;
    });
  }

  // --- accuracy against cost: one axis at a time -----------------------------------------------

  const pickAxis = document.getElementById("pick-axis");
  if (pickAxis) {
    const showAxis = () => {
      for (const view of document.querySelectorAll(".axis")) {
        view.hidden = view.dataset.axis !== pickAxis.value;
      }
    };
    pickAxis.addEventListener("change", showAxis);
    showAxis();
  }

  // --- samples -------------------------------------------------------------------------------

  const viewer = document.getElementById("viewer");
  if (!viewer) return;
  const { pools, views } = JSON.parse(document.getElementById("data").textContent);
  const pickTask = document.getElementById("pick-task");
  const pickProblem = document.getElementById("pick-problem");
  const pickPrm = document.getElementById("pick-prm");
  const previous = document.getElementById("previous");
  const next = document.getElementById("next");

  const taskOf = (pool) => (pool.policy ? `${pool.task}, policy ${pool.policy}` : pool.task);
  const prmOf = (view) => (view.aggregation ? `${view.prm} (${view.aggregation})` : view.prm);

  let current = 0;
  const show = (index) => {
    current = index;
    const view = views[index];
    const pool = pools[view.pool];
    const tasks = [...new Set(pools.map(taskOf))];
    const own = pools.flatMap((p, i) =>
      taskOf(p) === taskOf(pool) ? [[String(i), p.problem]] : [],
    );
    const prms = views.flatMap((v, i) => (v.pool === view.pool ? [[String(i), prmOf(v)]] : []));
    fill(
      pickTask,
      tasks.map((name) => [name, name]),
      taskOf(pool),
    );
    fill(pickProblem, own, String(view.pool));
    fill(pickPrm, prms, String(index));
    previous.disabled = view.pool === 0;
    next.disabled = view.pool === pools.length - 1;

    const scale = scaleOf(view.candidates.flatMap((c) => c.scores ?? []));
    const count = make("p", "note", `${view.candidates.length} of ${pool.n} candidates shown.`);
    viewer.replaceChildren(
      block("Problem", pool.prompt),
      block("Reference answer", pool.reference),
      legend(scale),
      count,
      ...view.candidates.map((c, place) => card(c, pool.candidates[c.index], scale, place < 2)),
    );
  };

  // Another problem keeps the PRM that is being read, where it has judged that problem too.
  const showPool = (pool) => {
    const wanted = prmOf(views[current]);
    const same = views.findIndex((v) => v.pool === pool && prmOf(v) === wanted);
    show(same >= 0 ? same : views.findIndex((v) => v.pool === pool));
  };

  const choose = (action) => {
    action();
    history.replaceState(null, "", `#sample-${current}`);
  };
  pickTask.addEventListener("change", () =>
    choose(() => showPool(pools.findIndex((p) => taskOf(p) === pickTask.value))),
  );
  pickProblem.addEventListener("change", () => choose(() => showPool(Number(pickProblem.value))));
  pickPrm.addEventListener("change", () => choose(() => show(Number(pickPrm.value))));
  previous.addEventListener("click", () => choose(() => showPool(views[current].pool - 1)));
  next.addEventListener("click", () => choose(() => showPool(views[current].pool + 1)));

  const fromAddress = () => {
    const match = /^#sample-(\d+)$/.exec(location.hash);
    const index = match ? Number(match[1]) : 0;
    show(index < views.length ? index : 0);
    if (match) document.getElementById("samples").scrollIntoView();
  };
  window.addEventListener("hashchange", () => {
    if (location.hash.startsWith("#sample-")) fromAddress();
  });
  fromAddress();
})();
