/* The controls: breadcrumbs, choices, legends. */

const TINTS = {
  follow: {
    label: "follows the tree",
    short: "correlation",
    about: "Correlation of tree distance and embedding distance among the species of a taxon. Hatched: too few species.",
  },
  stay: {
    label: "keeps together",
    short: "stays together",
    about: "Share of a taxon’s pictures whose nearest picture is of the taxon too. Hatched: a single picture.",
  },
};

class Controls {
  constructor(explorer) {
    this.explorer = explorer;
    const { study, taxonomy, state } = explorer;
    const part = (name) => document.getElementById(name);
    [this.crumbs, this.method, this.color, this.tint, this.model, this.against, this.chips, this.scale] =
      ["crumbs", "method", "color", "tint", "model", "against", "chips", "scale"].map(part);
    const fill = (select, options) => select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
    fill(this.method, study.methods.map((method) => [method.name, method.label]));
    fill(this.color, taxonomy.ranks.map((rank, number) => [number, number ? rank : "next rank"]));
    fill(this.tint, Object.entries(TINTS).map(([name, tint]) => [name, tint.label]));
    fill(this.model, study.models.map((model, number) => [number, model.label]));
    fill(this.against, [[-1, "by itself"], ...study.models.map((model, number) => [number, `minus ${model.label}`])]);
    for (const name of ["color", "model", "against"]) this[name].onchange = () => state.set({ [name]: Number(this[name].value) });
    for (const name of ["method", "tint"]) this[name].onchange = () => state.set({ [name]: this[name].value });
    part("help-button").onclick = () => part("help").showModal();
    if (study.methods.length < 2) this.method.closest("label").hidden = true;
  }

  show() {
    const { state, taxonomy } = this.explorer;
    for (const name of ["method", "color", "tint", "model", "against"]) this[name].value = String(state.values[name]);
    this.#showCrumbs();
    this.#showChips();
    this.#showScale();
    const about = document.getElementById("about-box");
    const { hoverClade, clade } = state.values;
    about.textContent = this.explorer.describe(hoverClade >= 0 ? hoverClade : clade);
  }

  #showCrumbs() {
    const { state, taxonomy } = this.explorer;
    const { clade } = state.values;
    if (this.shownClade === clade) return;
    this.shownClade = clade;
    const steps = taxonomy.lineage(clade);
    this.crumbs.replaceChildren(...steps.map((taxon) => {
      const link = taxonLink(this.explorer, taxon);
      if (taxon === clade) link.setAttribute("aria-current", "page");
      return make("li", {}, link);
    }));
    this.explorer.say(this.explorer.describe(clade));
  }

  /** Show the colours of the taxa that are told apart, the largest first. */
  #showChips() {
    const { state, taxonomy, taxonColor, study, theme } = this.explorer;
    const { clade } = state.values;
    const key = `${clade} ${state.colorRank} ${document.documentElement.dataset.theme}`;
    if (this.shownChips === key) return;
    this.shownChips = key;
    const taxa = state.coloredTaxa.sort((a, b) => taxonomy.size(b) - taxonomy.size(a));
    const chips = taxa.slice(0, theme.palette.length).map((taxon) => {
      const chip = taxonLink(this.explorer, taxon);
      chip.classList.add("chip");
      chip.prepend(make("span", { class: "chip-color", style: `background: ${cssOf(taxonColor[taxon])}` }));
      chip.append(make("span", { class: "quiet" }, taxonomy.size(taxon).toLocaleString("en")));
      chip.onpointerenter = chip.onfocus = () => state.set({ hoverClade: taxon });
      chip.onpointerleave = chip.onblur = () => state.set({ hoverClade: -1 });
      return make("li", {}, chip);
    });
    const rest = taxa.length - chips.length;
    if (rest > 0) chips.push(make("li", { class: "quiet" }, `and ${rest.toLocaleString("en")} more, all grey`));
    const rank = taxonomy.ranks[state.colorRank];
    const heading = make("li", { class: "chips-heading" }, taxa.length === 1 ? rank : study.plurals[rank]);
    this.chips.replaceChildren(heading, ...chips);
  }

  #showScale() {
    const { state, study, theme } = this.explorer;
    const { model, against, tint } = state.values;
    if (!study.models.length) return;
    const compared = against >= 0 && against !== model;
    const [one, other] = [study.models[model], study.models[Math.max(against, 0)]];
    const tintAt = (value) =>
      cssOf(compared ? differenceTint(value, pixelOfHex(one.color), pixelOfHex(other.color), theme) : tintOf(value, theme));
    const low = compared ? -0.6 : tint === "follow" ? -0.5 : 0;
    const high = compared ? 0.6 : 1;
    const stops = Array.from({ length: 9 }, (_, i) => tintAt(low + ((high - low) * i) / 8));
    this.scale.querySelector(".scale-bar").style.background = `linear-gradient(to right, ${stops.join(", ")})`;
    this.scale.querySelector(".scale-low").textContent = compared ? `${other.label} ahead` : String(low).replace("-", "−");
    this.scale.querySelector(".scale-high").textContent = compared ? `${one.label} ahead` : String(high);
    this.scale.querySelector(".scale-about").textContent = TINTS[tint].about;
  }
}
