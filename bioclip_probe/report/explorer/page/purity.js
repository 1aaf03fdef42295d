/* Purity and strays: what nearest neighbours in full dimension say about a clade. */

const NOBODY = 0xffffffff;

/**
 * Return for each rank from kingdom to species the share of a clade's pictures whose nearest picture of another species
 * is of their taxon at the rank (at species: whose nearest picture is of their species), and the share by chance.
 * Pictures whose taxon has no other species cannot be right, and are not counted.
 */
function purityByRank(taxonomy, model, clade) {
  const rows = [];
  for (let rank = 1; rank <= taxonomy.species; rank++) {
    const neighbors = rank < taxonomy.species ? model.relative : null;
    let n = 0, right = 0, chance = 0;
    for (let picture = taxonomy.first[clade]; picture < taxonomy.last[clade]; picture++) {
      const taxon = taxonomy.taxonAt(picture, rank);
      if (taxon < 0) continue;
      const species = taxonomy.taxonAt(picture, taxonomy.species);
      const own = neighbors && species >= 0 ? taxonomy.size(species) : 1;
      const others = taxonomy.size(taxon) - own;
      const neighbor = neighbors ? neighbors[picture] : model.nearest[picture * model.k];
      if (others <= 0 || neighbor === NOBODY) continue;
      n++;
      chance += others / (taxonomy.nPictures - own);
      if (taxonomy.holds(taxon, neighbor)) right++;
    }
    rows.push({ rank, n, purity: n ? right / n : NaN, chance: n ? chance / n : NaN });
  }
  return rows;
}

/** Return for each taxon the share of its pictures whose nearest picture is of it too; NaN for a single picture. */
function sharesThatStay(taxonomy, model) {
  const staying = new Float64Array(taxonomy.nTaxa);
  for (let picture = 0; picture < taxonomy.nPictures; picture++) {
    const neighbor = model.nearest[picture * model.k];
    if (neighbor !== NOBODY) staying[taxonomy.commonTaxon(picture, neighbor)]++;
  }
  for (let taxon = taxonomy.nTaxa - 1; taxon > ROOT; taxon--) staying[taxonomy.parent[taxon]] += staying[taxon];
  return Float32Array.from(staying, (n, taxon) => (taxonomy.size(taxon) > 1 ? n / taxonomy.size(taxon) : NaN));
}

/** Return the first rank at which all pictures have two taxa or more: that of the strays of all pictures. */
function firstDividedRank(taxonomy) {
  let rank = 1;
  while (rank < taxonomy.species && taxonomy.inside(ROOT, rank).length < 2) rank++;
  return rank;
}

/**
 * Return the pictures of a clade whose nearest picture is outside it, worst first: the neighbour that is least related,
 * then the one that is most alike. Of all pictures, those whose nearest picture is of another taxon of the first rank
 * that has two taxa.
 */
function straysOf(taxonomy, model, clade) {
  const strays = [];
  const rank = firstDividedRank(taxonomy);
  for (let picture = taxonomy.first[clade]; picture < taxonomy.last[clade]; picture++) {
    const neighbor = model.nearest[picture * model.k];
    if (neighbor === NOBODY || (clade !== ROOT && taxonomy.holds(clade, neighbor))) continue;
    if (clade === ROOT) {
      const [own, other] = [taxonomy.taxonAt(picture, rank), taxonomy.taxonAt(neighbor, rank)];
      if (own < 0 || other < 0 || own === other) continue;
    }
    const common = taxonomy.commonTaxon(picture, neighbor);
    strays.push({ picture, neighbor, common, similarity: model.similarity[picture * model.k] / 1000 });
  }
  return strays.sort((a, b) => taxonomy.rank[a.common] - taxonomy.rank[b.common] || b.similarity - a.similarity);
}
