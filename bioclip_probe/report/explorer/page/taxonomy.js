/* The taxonomy: taxa in preorder, pictures in the same order, so that every clade is a slice of pictures. */

const ROOT = 0;

class Taxonomy {
  /** Taxon 0 is the root, of rank 0; kingdoms have rank 1, species the last. */
  constructor(study) {
    this.parent = study.array("parent");
    this.rank = study.array("rank");
    this.taxonOf = study.array("taxon"); // the deepest taxon of each picture
    this.names = study.json("names");
    this.common = study.json("common");
    this.ranks = ["life", ...study.ranks];
    this.nTaxa = this.parent.length;
    this.nPictures = this.taxonOf.length;
    this.species = this.ranks.length - 1;
    this.first = new Uint32Array(this.nTaxa); // pictures first[t] to last[t] - 1 belong to taxon t
    this.last = new Uint32Array(this.nTaxa);
    this.stop = new Uint32Array(this.nTaxa); // taxa t to stop[t] - 1 are its descendants and itself
    this.nSpecies = new Uint32Array(this.nTaxa);
    this.#findClades();
    this.atRank = this.ranks.map((_, rank) => this.#ancestors(rank));
  }

  #findClades() {
    const own = new Uint32Array(this.nTaxa + 1);
    for (const taxon of this.taxonOf) own[taxon + 1]++;
    for (let taxon = 0; taxon < this.nTaxa; taxon++) {
      own[taxon + 1] += own[taxon];
      this.first[taxon] = own[taxon];
      this.stop[taxon] = taxon + 1;
    }
    for (let taxon = this.nTaxa - 1; taxon >= 0; taxon--) {
      this.last[taxon] = own[this.stop[taxon]];
      if (this.rank[taxon] === this.species) this.nSpecies[taxon] = 1;
      if (taxon === ROOT) break;
      const parent = this.parent[taxon];
      this.stop[parent] = Math.max(this.stop[parent], this.stop[taxon]);
      this.nSpecies[parent] += this.nSpecies[taxon];
    }
  }

  /** Return the ancestor of each taxon at a rank, or the taxon itself; -1 where there is none. */
  #ancestors(rank) {
    const ancestors = new Int32Array(this.nTaxa).fill(-1);
    for (let taxon = 0; taxon < this.nTaxa; taxon++) {
      if (this.rank[taxon] === rank) ancestors[taxon] = taxon;
      else if (this.rank[taxon] > rank) ancestors[taxon] = ancestors[this.parent[taxon]];
    }
    return ancestors;
  }

  /** Return the number of pictures of a taxon. */
  size(taxon) {
    return this.last[taxon] - this.first[taxon];
  }

  /** Return true if a picture belongs to a taxon. */
  holds(taxon, picture) {
    return picture >= this.first[taxon] && picture < this.last[taxon];
  }

  /** Return the taxon of a picture at a rank; -1 where it has no name there. */
  taxonAt(picture, rank) {
    return this.atRank[rank][this.taxonOf[picture]];
  }

  /** Return a taxon and all above it, the root first. */
  lineage(taxon) {
    const above = [taxon];
    while (above[0] !== ROOT) above.unshift(this.parent[above[0]]);
    return above;
  }

  children(taxon) {
    const children = [];
    for (let child = taxon + 1; child < this.stop[taxon]; child = this.stop[child]) children.push(child);
    return children;
  }

  /** Return the taxa of a rank inside a taxon. */
  inside(taxon, rank) {
    const taxa = [];
    for (let other = taxon; other < this.stop[taxon]; other++) if (this.rank[other] === rank) taxa.push(other);
    return taxa;
  }

  /** Return the deepest taxon that holds two pictures. */
  commonTaxon(one, other) {
    let taxon = this.taxonOf[one];
    while (!this.holds(taxon, other)) taxon = this.parent[taxon];
    return taxon;
  }

  /** Return the path of names that identifies a taxon; a rank without a name leaves an empty place. */
  path(taxon) {
    const names = [];
    for (const step of this.lineage(taxon).slice(1)) names[this.rank[step] - 1] = this.names[step];
    return Array.from(names, (name) => name ?? "").join("|");
  }

  /** Return the taxon of a path, or the root where there is none. */
  find(path) {
    let taxon = ROOT;
    for (const [rank, name] of path.split("|").entries()) {
      if (!name) continue;
      const next = this.children(taxon).find((child) => this.names[child] === name && this.rank[child] === rank + 1);
      if (next === undefined) return ROOT;
      taxon = next;
    }
    return taxon;
  }

  /** Return the name of a taxon to print. */
  name(taxon) {
    return taxon === ROOT ? "All pictures" : this.names[taxon];
  }

  isItalic(taxon) {
    return this.rank[taxon] >= this.species - 1;
  }
}
