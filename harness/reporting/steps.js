"use strict";
// Steps of a solution, coloured by their scores: for every page that shows samples. Text from names
// and models is only ever assigned to textContent.

const Steps = (() => {
  const VERDICTS = { correct: "✓ correct", wrong: "✗ wrong", ungraded: "? ungraded" };
  const CUTS = { length: "cut at the token limit", budget: "cut by the budget" };

  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // Gives a select its options, each [value, text], and the value that it shows.
  const fill = (select, options, value) => {
    select.replaceChildren(
      ...options.map(([key, text]) => {
        const option = make("option", "", text);
        option.value = key;
        return option;
      }),
    );
    select.value = value;
  };

  // Where on the colour scale a score stands: scores within 0..1 use that range, others their own.
  const scaleOf = (scores) => {
    const low = scores.reduce((a, b) => Math.min(a, b), Infinity);
    const high = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    if (!scores.length || (low >= 0 && high <= 1)) return { low: 0, high: 1 };
    return { low, high: high > low ? high : low + 1 };
  };
  const colour = (score, scale, strength) => {
    const place = 2 * ((score - scale.low) / (scale.high - scale.low)) - 1;
    const hue = place < 0 ? "213, 94, 0" : "0, 114, 178";
    return `rgba(${hue}, ${(Math.abs(place) * strength).toFixed(3)})`;
  };
  const number = (score) => (score === null ? "–" : score.toFixed(Math.abs(score) < 10 ? 3 : 1));

  const legend = (scale) => {
    const element = make("p", "scale");
    element.append(
      make("span", "", `low ${number(scale.low)}`),
      make("i"),
      make("span", "", `high ${number(scale.high)}`),
    );
    return element;
  };

  const block = (title, text) => {
    const element = make("div", "block");
    const body = make("div", "text", text);
    body.dir = "auto";
    body.tabIndex = 0;
    element.append(make("h3", "", title), body);
    return element;
  };

  const list = (steps, scores, scale) => {
    const element = make("ol", "steps");
    steps.forEach((step, i) => {
      const item = make("li");
      const score = scores ? scores[i] : null;
      const value = make("span", "value", number(score));
      if (score !== null) {
        item.title = `step ${i + 1}: score ${score}`;
        item.style.backgroundColor = colour(score, scale, 0.42);
        item.style.borderLeftColor = colour(score, scale, 1);
      }
      const text = make("span", "text", step.replace(/\n+$/, ""));
      text.dir = "auto";
      item.append(value, text);
      element.append(item);
    });
    return element;
  };

  // One candidate: `judged` holds {index, score, scores, chosen_by}, `text` what it is made of.
  const card = (judged, text, scale, open) => {
    const details = make("details", "candidate");
    const summary = make("summary");
    summary.append(make("span", "number", `score ${number(judged.score)}`));
    if (text.verdict) {
      summary.append(make("span", `verdict ${text.verdict}`, VERDICTS[text.verdict]));
    }
    if (text.verdict && text.answer !== undefined) {
      const shown = text.answer === null ? "no answer found" : `answer ${text.answer}`;
      const answer = make("span", "answer", shown);
      answer.dir = "auto";
      summary.append(answer);
    }
    if (judged.scores) {
      const strip = make("span", "strip");
      strip.setAttribute("aria-hidden", "true");
      for (const score of judged.scores.slice(0, 40)) {
        const cell = make("i");
        cell.style.backgroundColor = colour(score, scale, 0.85);
        strip.append(cell);
      }
      summary.append(strip);
    }
    for (const name of judged.chosen_by) summary.append(make("span", "chip", `chosen by ${name}`));
    const extra = [`candidate ${judged.index}`, CUTS[text.finish]].filter(Boolean).join(", ");
    summary.append(make("span", "soft", extra));
    details.append(summary, list(text.steps, judged.scores, scale));
    details.open = open || judged.chosen_by.length > 0;
    return details;
  };

  return { make, fill, scaleOf, legend, block, card };
})();
