/* Search: a taxon by its scientific or common name, or a picture by its name. */

const MOST_HITS = 12;

class Search {
  constructor(input, list, explorer) {
    Object.assign(this, { input, list, explorer, hits: [], chosen: -1 });
    input.oninput = () => this.#find();
    input.onfocus = () => this.#find();
    input.onblur = () => setTimeout(() => this.#close(), 150);
    input.onkeydown = (event) => this.#key(event);
  }

  /** Return the best hits for a text: taxa whose name begins with it, other taxa that hold it, then pictures. */
  find(text) {
    const { taxonomy, ids } = this.explorer;
    this.names ??= taxonomy.names.map((name, taxon) => `${name}\n${taxonomy.common[taxon] ?? ""}`.toLowerCase());
    this.ids ??= ids.map((id) => id.toLowerCase());
    const wanted = text.trim().toLowerCase();
    if (!wanted) return [];
    const begins = [], holds = [], pictures = [];
    for (let taxon = 1; taxon < taxonomy.nTaxa; taxon++) {
      const at = this.names[taxon].indexOf(wanted);
      if (at === 0) begins.push({ taxon });
      else if (at > 0) holds.push({ taxon });
    }
    for (let picture = 0; picture < ids.length && pictures.length < MOST_HITS; picture++) {
      if (this.ids[picture].includes(wanted)) pictures.push({ picture });
    }
    return [...begins, ...holds, ...pictures].slice(0, MOST_HITS);
  }

  #find() {
    this.hits = this.find(this.input.value);
    this.chosen = this.hits.length ? 0 : -1;
    this.#show();
  }

  #show() {
    const { taxonomy, ids } = this.explorer;
    const items = this.hits.map(({ taxon, picture }, i) => {
      const text = taxon === undefined ? [make("span", {}, ids[picture])] : [taxonName(this.explorer, taxon)];
      const about = taxon === undefined ? "picture" : [taxonomy.ranks[taxonomy.rank[taxon]], taxonomy.common[taxon]].filter(Boolean).join(" · ");
      const item = make("li", { role: "option", id: `hit-${i}`, "aria-selected": String(i === this.chosen) }, ...text, make("span", { class: "quiet" }, about));
      item.onpointerdown = () => this.#take(i);
      return item;
    });
    const nothing = this.input.value.trim() && !items.length ? [make("li", { class: "quiet" }, "nothing of that name")] : [];
    this.list.replaceChildren(...items, ...nothing);
    this.list.hidden = !(items.length || nothing.length);
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.input.setAttribute("aria-activedescendant", this.chosen >= 0 ? `hit-${this.chosen}` : "");
  }

  #key(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      this.input.value = "";
      this.input.blur();
    } else if (event.key === "Enter") this.#take(this.chosen);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.chosen = Math.min(Math.max(this.chosen + step, 0), this.hits.length - 1);
      this.#show();
    }
  }

  #take(number) {
    const hit = this.hits[number];
    if (!hit) return;
    const { state, taxonomy } = this.explorer;
    if (hit.taxon !== undefined) state.set({ clade: hit.taxon, picture: -1, hoverClade: -1 });
    else {
      const { clade } = state.values;
      state.set({ picture: hit.picture, clade: taxonomy.holds(clade, hit.picture) ? clade : ROOT });
    }
    this.input.value = "";
    this.input.blur();
    this.#close();
  }

  #close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
  }
}
