// The state of the page, kept in its address: who gets the link sees the same. `v` is the version of
// the board that the link was made for.

const Address = (() => {
  // Columns that few ask for, and those that are no main figures where there are many.
  const HIDDEN = [
    ...(Site.data.columns.length > 8
      ? Site.data.columns.flatMap((column, place) => (column.main ? [] : [`c${place}`]))
      : []),
    "prm_tokens",
    "policy_tokens",
    "seconds",
  ].join(",");
  const FRESH = {
    sort: "rank",
    q: "",
    trust: "",
    domain: "",
    hide: HIDDEN,
    y: "",
    x: "",
    prm: "",
    sample: "",
    choose: [],
    compare: "",
  };
  const state = { ...FRESH };
  const listeners = [];

  const read = () => {
    const found = new URLSearchParams(location.hash.slice(1));
    for (const [key, fresh] of Object.entries(FRESH)) {
      state[key] = Array.isArray(fresh) ? found.getAll(key) : (found.get(key) ?? fresh);
    }
    return found.get("v");
  };
  const hash = () => {
    const made = new URLSearchParams({ v: String(Site.data.version) });
    for (const [key, fresh] of Object.entries(FRESH)) {
      const value = state[key];
      if (Array.isArray(fresh)) value.forEach((one) => made.append(key, one));
      else if (value !== fresh) made.set(key, value);
    }
    return `#${made}`;
  };
  const tell = (changed) => listeners.forEach((listener) => listener(state, changed));

  // Changes the state, writes it to the address and tells every part of the page.
  const set = (changes) => {
    Object.assign(state, changes);
    history.replaceState(null, "", hash());
    tell(new Set(Object.keys(changes)));
  };
  const onChange = (listener) => listeners.push(listener);
  const start = () => {
    const arrive = () => {
      if (location.hash && !location.hash.includes("=")) return; // a place in the page
      const version = read();
      const notice = document.getElementById("notice");
      notice.hidden = version === null || version === String(Site.data.version);
      if (!notice.hidden) {
        notice.textContent =
          `The link is to version ${version} of this board; this is version ` +
          `${Site.data.version}. Numbers of two versions do not compare. `;
        const kept = [...document.querySelectorAll("#kept a")].find(
          (one) => one.dataset.version === version,
        );
        if (kept) {
          const there = document.createElement("a");
          there.href = kept.getAttribute("href") + location.hash;
          there.textContent = `Open version ${version}`;
          notice.append(there);
        }
      }
      tell(new Set(Object.keys(FRESH)));
    };
    window.addEventListener("hashchange", arrive);
    arrive();
  };
  const link = () => location.href.split("#")[0] + hash();
  return { state, set, onChange, start, link };
})();
