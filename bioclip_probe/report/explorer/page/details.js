/* The picture: its thumbnail, its lineage, and its nearest neighbours in each model; without one, some of the clade. */

const MOST_SAMPLES = 40;

class Details {
  constructor(element, explorer) {
    Object.assign(this, { element, explorer });
    this.shown = null;
  }

  show() {
    const { state } = this.explorer;
    const picture = state.shownPicture;
    const key = picture < 0 ? `clade ${state.values.clade}` : picture;
    if (key === this.shown) return;
    this.shown = key;
    this.element.classList.toggle("empty", picture < 0);
    this.element.replaceChildren(...(picture < 0 ? this.#samples(state.values.clade) : this.#picture(picture)));
  }

  /** Return an invitation, and pictures of a clade at even distances in the order of the taxonomy. */
  #samples(clade) {
    const { taxonomy, thumbnails, state } = this.explorer;
    const invitation = make("p", { class: "quiet" },
      "Point at a picture in a map to see its lineage and its true nearest neighbours, in full dimension. A click keeps it.");
    if (thumbnails.kind === "none") return [invitation];
    const n = Math.min(taxonomy.size(clade), MOST_SAMPLES);
    const samples = Array.from({ length: n }, (_, i) => {
      const picture = Math.floor(taxonomy.first[clade] + ((i + 0.5) * taxonomy.size(clade)) / n);
      const name = taxonomy.name(taxonomy.taxonOf[picture]);
      const button = make("button", { type: "button", class: "sample", title: name }, thumbnails.element(picture, name, 52));
      button.onclick = () => state.set({ picture });
      return make("li", {}, button);
    });
    return [invitation, make("ol", { class: "samples" }, ...samples)];
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
