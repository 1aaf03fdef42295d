/* The state of the page: what is chosen and what the pointer is on. What is chosen stands in the address's hash. */

class State extends EventTarget {
  constructor(study, taxonomy, ids) {
    super();
    this.study = study;
    this.taxonomy = taxonomy;
    this.ids = ids;
    const measured = study.models.some((_, number) => study.array(`correlation/${number}`).some(Number.isFinite));
    this.usual = {
      clade: ROOT,
      picture: -1, // the picture that was clicked
      method: study.methods[0]?.name ?? "",
      color: 0, // rank that colours the points; 0: that of the children of the clade
      tint: measured ? "follow" : "stay",
      model: 0,
      against: -1, // the model that `model` is compared with in the icicle
    };
    this.values = { hoverClade: -1, hoverPicture: -1, ...this.#fromHash() };
    addEventListener("popstate", () => this.set(this.#fromHash()));
  }

  #fromHash() {
    const hash = new URLSearchParams(location.hash.slice(1));
    const values = { ...this.usual };
    const index = (name) => this.study.models.findIndex((model) => model.name === hash.get(name));
    if (hash.has("clade")) values.clade = this.taxonomy.find(hash.get("clade"));
    if (hash.has("picture")) values.picture = this.ids.indexOf(hash.get("picture"));
    if (this.study.methods.some((method) => method.name === hash.get("map"))) values.method = hash.get("map");
    if (hash.has("color")) values.color = Math.max(this.taxonomy.ranks.indexOf(hash.get("color")), 0);
    if (["follow", "stay"].includes(hash.get("tint"))) values.tint = hash.get("tint");
    values.model = Math.max(index("model"), 0);
    values.against = index("against");
    return values;
  }

  #toHash() {
    const { clade, picture, method, color, tint, model, against } = this.values;
    const { usual } = this;
    const hash = new URLSearchParams();
    if (clade !== ROOT) hash.set("clade", this.taxonomy.path(clade));
    if (picture >= 0) hash.set("picture", this.ids[picture]);
    if (method !== usual.method) hash.set("map", method);
    if (color) hash.set("color", this.taxonomy.ranks[color]);
    if (tint !== usual.tint) hash.set("tint", tint);
    if (model) hash.set("model", this.study.models[model].name);
    if (against >= 0) hash.set("against", this.study.models[against].name);
    return `#${hash}`;
  }

  /** Change values, tell the listeners which, and write the hash; a new clade is a step of the browser's history. */
  set(changes) {
    const changed = new Set(Object.keys(changes).filter((name) => this.values[name] !== changes[name]));
    if (!changed.size) return;
    Object.assign(this.values, changes);
    const hash = this.#toHash();
    if (hash !== (location.hash || "#")) {
      try {
        history[changed.has("clade") ? "pushState" : "replaceState"](null, "", hash);
      } catch {
        // A frame without an address, as in a notebook, has no history.
      }
    }
    this.dispatchEvent(new CustomEvent("change", { detail: changed }));
  }

  /** Return the rank that colours the points. */
  get colorRank() {
    const { clade, color } = this.values;
    if (color) return color;
    const { taxonomy } = this;
    for (let rank = taxonomy.rank[clade] + 1; rank < taxonomy.species; rank++) {
      if (taxonomy.inside(clade, rank).length > 1) return rank; // the first at which there is something to tell apart
    }
    return taxonomy.species;
  }

  /** Return the taxa that the colours tell apart: inside the chosen clade, or the one at that rank that holds it. */
  get coloredTaxa() {
    const { taxonomy, colorRank } = this;
    const { clade } = this.values;
    const above = taxonomy.atRank[colorRank][clade];
    return above > 0 ? [above] : taxonomy.inside(clade, colorRank);
  }

  /** Return the picture to show: the one under the pointer, or the one that was clicked. */
  get shownPicture() {
    return this.values.hoverPicture >= 0 ? this.values.hoverPicture : this.values.picture;
  }

  /** Go up: let go of the picture, or go to the taxon above. */
  up() {
    if (this.values.picture >= 0) this.set({ picture: -1, hoverPicture: -1 });
    else if (this.values.clade !== ROOT) this.set({ clade: this.taxonomy.parent[this.values.clade], hoverClade: -1 });
  }
}
