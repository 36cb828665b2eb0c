// The sample viewer: a few problems, with every candidate's steps coloured by the scores that one
// entry gave them, beside the board's own verdicts.

const Solutions = (() => {
  const { make } = Steps;
  const { samples } = Site.data;
  const samplesOf = (entry) => samples.filter((sample) => sample.scored[entry.id]);

  const judged = (entry, sample) =>
    sample.solutions
      .flatMap((solution, i) => {
        const scored = sample.scored[entry.id][i];
        const [score, scores] = scored ?? [null, null];
        return [{ solution, judged: { index: solution.index, score, scores, chosen_by: [] } }];
      })
      .sort((a, b) => (b.judged.score ?? -Infinity) - (a.judged.score ?? -Infinity));

  const show = (viewer, entry, sample) => {
    const found = judged(entry, sample);
    const scale = Steps.scaleOf(found.flatMap(({ judged: { scores } }) => scores ?? []));
    const count = `${found.length} of ${sample.n} candidates kept for this page, by falling score. `;
    const facts = sample.facts.map(([key, value]) => `${key} ${value}`).join(", ");
    viewer.replaceChildren(
      Steps.block(`Problem ${sample.problem}${facts ? ` (${facts})` : ""}`, sample.prompt),
      Steps.legend(scale),
      make("p", "note", `${count}The number before a step is its score.`),
      ...found.map(({ solution, judged }, place) => {
        const card = Steps.card(judged, solution, scale, place === 0);
        const { wrong, first_wrong: first } = solution;
        const steps = card.querySelectorAll("li");
        for (const place of wrong ?? (first === null ? [] : [first])) {
          steps[place]?.classList.add("wrong");
          const which = wrong ? "wrong step" : "first wrong step";
          steps[place]?.append(make("span", "label", `✗ ${which}, as labelled`));
        }
        return card;
      }),
    );
  };

  // Returns the section of an entry's samples, null where it has none.
  const section = (entry) => {
    const own = samplesOf(entry);
    if (!own.length) return null;
    const element = make("section");
    element.append(make("h3", "", "Samples"));
    const label = make("label", "", "Problem ");
    const pick = make("select");
    label.append(pick);
    const move = (step) => () => {
      const next = (own.findIndex((s) => s.id === pick.value) + step + own.length) % own.length;
      Address.set({ sample: own[next].id });
      choose(own[next].id);
    };
    const tools = make("div", "tools");
    tools.append(
      label,
      Site.button("← Previous", null, move(-1)),
      Site.button("Next →", null, move(1)),
    );
    const viewer = make("div", "viewer");
    viewer.setAttribute("aria-live", "polite");
    const choose = (id) => {
      const sample = own.find((one) => one.id === id) ?? own[0];
      pick.value = sample.id;
      show(viewer, entry, sample);
    };
    Site.fill(
      pick,
      own.map((s) => [s.id, `${s.pool}: ${s.problem}`]),
      own[0].id,
    );
    pick.addEventListener("change", () => {
      Address.set({ sample: pick.value });
      choose(pick.value);
    });
    element.append(tools, viewer);
    choose(Address.state.sample);
    return element;
  };
  return { section };
})();
