/* Keys that work everywhere on the page; arrows belong to the part that has the focus. */

function listenToKeys(explorer) {
  const { state, study, taxonomy } = explorer;
  const next = (list, value) => list[(list.indexOf(value) + 1) % list.length];
  const step = (by) => {
    const { clade, picture } = state.values;
    const first = taxonomy.first[clade], n = taxonomy.size(clade);
    const from = picture < 0 ? (by > 0 ? -1 : 0) : picture - first;
    state.set({ picture: first + ((from + by + n) % n), hoverPicture: -1 });
    explorer.say(explorer.describePicture(state.values.picture));
  };
  const keys = {
    "/": () => document.getElementById("search").focus(),
    Escape: () => state.up(),
    m: () => state.set({ method: next(study.methods.map((method) => method.name), state.values.method) }),
    c: () => state.set({ color: (state.values.color + 1) % taxonomy.ranks.length }),
    t: () => state.set({ model: (state.values.model + 1) % study.models.length }),
    "[": () => step(-1),
    "]": () => step(1),
    0: () => explorer.panels.forEach((panel) => panel.fit(true)),
    "?": () => document.getElementById("help").showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    if (event.target.closest("input, select, dialog")) return;
    event.preventDefault();
    keys[event.key]();
  });
}
