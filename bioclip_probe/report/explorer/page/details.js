/* The picture: its thumbnail, its lineage, and its nearest neighbours in each model. */

class Details {
  constructor(element, explorer) {
    Object.assign(this, { element, explorer });
    this.shown = null;
  }

  show() {
    const picture = this.explorer.state.shownPicture;
    if (picture === this.shown) return;
    this.shown = picture;
    this.element.classList.toggle("empty", picture < 0);
    this.element.replaceChildren(...(picture < 0 ? [this.#invitation()] : this.#picture(picture)));
  }

  #invitation() {
    return make("p", { class: "quiet" }, "Point at a picture in a map: here are its lineage and its true nearest neighbours, in full dimension. Click keeps it.");
  }

  #picture(picture) {
    const { taxonomy, thumbnails, ids, study } = this.explorer;
    const lineage = taxonomy.lineage(taxonomy.taxonOf[picture]).slice(1);
    const shared = thumbnails.kind === "species" && thumbnails.has(picture);
    const head = make("div", { class: "picture-head" },
      thumbnails.kind === "none" ? "" : thumbnails.element(picture, `Picture ${ids[picture]}`, 104),
      make("div", {},
        make("p", { class: "picture-name" }, taxonName(this.explorer, taxonomy.taxonOf[picture])),
        make("p", { class: "quiet" }, [taxonomy.common[taxonomy.taxonOf[picture]], ids[picture]].filter(Boolean).join(" · ")),
        make("ol", { class: "lineage" }, ...lineage.map((taxon) => make("li", {}, taxonLink(this.explorer, taxon)))),
        shared ? make("p", { class: "quiet" }, "The thumbnail shows a picture of this species.") : "",
      ));
    return [head, ...study.models.map((model, number) => this.#neighbors(picture, model, this.explorer.models[number]))];
  }

  #neighbors(picture, { label, color }, model) {
    const { taxonomy, thumbnails, state } = this.explorer;
    const items = this.explorer.neighborsOf(model, picture).map((neighbor, j) => {
      const common = taxonomy.rank[taxonomy.commonTaxon(picture, neighbor)];
      const kin = common ? `same ${taxonomy.ranks[common]}` : "another kingdom";
      const similarity = (model.similarity[picture * model.k + j] / 1000).toFixed(2);
      const name = taxonomy.name(taxonomy.taxonOf[neighbor]);
      const button = make("button", { type: "button", class: "neighbor", title: `${name}, cosine ${similarity}` },
        thumbnails.kind === "none" ? make("i", {}, name) : thumbnails.element(neighbor, name, 48),
        make("span", { class: `kin kin-${kinLevel(taxonomy, common)}` }, kin));
      button.onclick = () => state.set({ picture: neighbor, hoverPicture: -1 });
      return make("li", {}, button);
    });
    return make("div", { class: "neighbors" },
      make("h3", {}, dot(color), label),
      make("ol", {}, ...items));
  }
}

/** Return how near a neighbour is of kin: 0 for the same species, 1 for the same genus or family, 2 beyond. */
function kinLevel(taxonomy, rank) {
  return rank === taxonomy.species ? 0 : rank >= taxonomy.species - 2 ? 1 : 2;
}

/** Return an element with attributes and children; strings become text, never markup. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Return the dot in the colour of a model. */
function dot(color) {
  return make("span", { class: "model-dot", style: `background: ${color}` });
}

/** Return the name of a taxon as an element: genera and species in italics. */
function taxonName({ taxonomy }, taxon) {
  return make(taxonomy.isItalic(taxon) ? "i" : "span", {}, taxonomy.name(taxon));
}

/** Return a button that goes to a taxon. */
function taxonLink(explorer, taxon) {
  const button = make("button", { type: "button", class: "taxon", title: explorer.describe(taxon) }, taxonName(explorer, taxon));
  button.onclick = () => explorer.state.set({ clade: taxon, hoverClade: -1 });
  return button;
}
