/* The page as a whole: it unpacks the study, makes the parts, and redraws those that a change concerns. */

class Explorer {
  constructor(study) {
    this.study = study;
    this.taxonomy = new Taxonomy(study);
    this.ids = study.json("ids");
    this.state = new State(study, this.taxonomy, this.ids);
    this.thumbnails = new Thumbnails(study);
    document.documentElement.dataset.thumbnails = this.thumbnails.kind;
    this.still = matchMedia("(prefers-reduced-motion: reduce)").matches || this.taxonomy.nPictures > 40000;
    this.models = study.models.map((_, number) => this.#model(number));
    this.waiting = new Set();
    this.useTheme();
    this.icicle = new Icicle(document.getElementById("icicle"), this);
    this.details = new Details(document.getElementById("details"), this);
    this.clade = new Clade(document.getElementById("purity"), document.getElementById("strays"), this);
    this.search = new Search(document.getElementById("search"), document.getElementById("hits"), this);
    this.panels = study.models.map((_, number) => new Panel(number, this));
    document.getElementById("panels").append(...this.panels.map((panel) => panel.element));
    this.controls = new Controls(this);
    listenToKeys(this);
    this.#listen();
    this.#update(new Set(["clade", "method", "color", "tint", "picture"]), { animate: false });
    this.#measure();
  }

  #model(number) {
    const { study, taxonomy } = this;
    const nearest = study.array(`nearest/${number}`);
    return {
      nearest,
      k: nearest.length / Math.max(taxonomy.nPictures, 1),
      similarity: study.array(`similarity/${number}`),
      relative: study.array(`relative/${number}`),
      follow: study.array(`correlation/${number}`),
      get stay() {
        return (this.shares ??= sharesThatStay(taxonomy, this));
      },
    };
  }

  /** Return the nearest pictures of a picture in a model, nearest first. */
  neighborsOf(model, picture) {
    return [...model.nearest.subarray(picture * model.k, (picture + 1) * model.k)].filter((row) => row !== NOBODY);
  }

  // Words.

  /** Return a taxon in words. */
  describe(taxon) {
    const { taxonomy, state, study } = this;
    const { model, against, tint } = state.values;
    const count = (n, one, several) => `${n.toLocaleString("en")} ${n === 1 ? one : several}`;
    const parts = [count(taxonomy.size(taxon), "picture", "pictures"), count(taxonomy.nSpecies[taxon], "species", "species")];
    for (const number of new Set([model, against])) {
      const value = this.models[number]?.[tint][taxon];
      if (Number.isFinite(value)) parts.push(`${TINTS[tint].short} ${value.toFixed(2).replace("-", "−")} (${study.models[number].label})`);
    }
    const rank = taxon === ROOT ? "" : `${taxonomy.ranks[taxonomy.rank[taxon]]} `;
    return `${rank}${taxonomy.name(taxon)}: ${parts.join(", ")}`;
  }

  describePicture(picture) {
    return `Picture ${this.ids[picture]}: ${this.taxonomy.name(this.taxonomy.taxonOf[picture])}`;
  }

  /** Let a screen reader say something. */
  say(text) {
    document.getElementById("said").textContent = text;
  }

  /** Return how many canvas pixels a CSS pixel has: more on paper, and no more than two on a screen. */
  get pixelRatio() {
    return document.documentElement.hasAttribute("data-printing") ? 3 : Math.min(devicePixelRatio || 1, 2);
  }

  // Colours.

  useTheme(name) {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = name ?? (dark ? "dark" : "light");
    this.theme = readTheme();
  }

  #colorPoints() {
    const { taxonomy, state, theme } = this;
    const { clade } = state.values;
    this.colorRank = state.colorRank;
    const whole = this.colorRank > taxonomy.rank[clade] ? clade : ROOT; // colours above the clade are those of all life
    this.taxonColor = taxonColors(taxonomy, whole, this.colorRank, taxonomy.atRank[this.colorRank][clade], theme);
    this.colors = Uint32Array.from(taxonomy.taxonOf, (taxon) => this.taxonColor[taxon]);
  }

  /** Choose the tint of each box of the icicle; 0 where it is not defined. */
  #colorBoxes() {
    const { state, models, study, theme, taxonomy } = this;
    const { model, against, tint } = state.values;
    this.boxColors = new Uint32Array(taxonomy.nTaxa);
    if (!models.length) return;
    const values = models[model][tint];
    const others = against >= 0 && against !== model ? models[against][tint] : null;
    const [ahead, behind] = [model, Math.max(against, 0)].map((number) => pixelOfHex(study.models[number].color));
    for (let taxon = 0; taxon < taxonomy.nTaxa; taxon++) {
      const value = others ? values[taxon] - others[taxon] : values[taxon];
      if (!Number.isFinite(value)) continue;
      this.boxColors[taxon] = others ? differenceTint(value, ahead, behind, theme) : tintOf(value, theme);
    }
  }

  // Changes.

  #listen() {
    this.state.addEventListener("change", (event) => this.#update(event.detail));
    new ResizeObserver(() => this.#measure()).observe(document.getElementById("layout"));
    const retheme = (name) => {
      this.useTheme(name);
      this.#colorPoints();
      this.#colorBoxes();
      this.icicle.resize();
      this.controls.show();
      for (const panel of this.panels) panel.draw();
    };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => retheme());
    const print = (printing) => {
      document.documentElement.toggleAttribute("data-printing", printing);
      this.#measure();
      retheme(printing ? "light" : undefined); // paper is white
    };
    addEventListener("beforeprint", () => print(true));
    addEventListener("afterprint", () => print(false));
  }

  /** Fit the canvases to their places, and draw those that have changed. */
  #measure() {
    this.icicle.resize();
    for (const panel of this.panels) if (panel.resize()) panel.draw(true);
  }

  #update(changed, options = {}) {
    const has = (...names) => names.some((name) => changed.has(name));
    if (has("clade", "color")) this.#colorPoints();
    if (has("tint", "model", "against")) this.#colorBoxes();
    if (has("clade", "method")) for (const panel of this.panels) panel.choose(options);
    else if (has("color", "hoverClade")) for (const panel of this.panels) panel.touch();
    else if (has("picture", "hoverPicture")) for (const panel of this.panels) panel.drawMarks();
    if (has("clade")) this.icicle.choose(options);
    else if (has("tint", "model", "against", "color")) this.icicle.draw();
    else if (has("hoverClade", "picture", "hoverPicture")) this.icicle.drawMarks();
    if (has("clade", "picture", "hoverPicture")) this.details.show();
    if (has("clade")) this.clade.showPurity();
    if (has("clade", "model")) this.clade.showStrays();
    this.controls.show(changed);
  }

  /** Draw a panel in the next frame, quickly, and with mean colours when all has come to rest. */
  redraw(panel) {
    this.waiting.add(panel);
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.panels.forEach((each) => each.draw(true)), REST);
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      for (const each of this.waiting) each.draw(false);
      this.waiting.clear();
    });
  }
}

unpackStudy().then((study) => {
  window.explorer = new Explorer(study);
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
});
