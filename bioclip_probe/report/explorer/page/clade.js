/* The chosen clade: its purity by rank, and its strays. */

const CHART = { width: 460, height: 210, left: 34, right: 12, top: 12, bottom: 26 };
const STRAYS_AT_FIRST = 24;
const MOST_STRAYS = 300;

class Clade {
  constructor(purity, strays, explorer) {
    Object.assign(this, { purity, strays, explorer });
  }

  showPurity() {
    const { taxonomy, models, state, study } = this.explorer;
    const { clade } = state.values;
    const byModel = models.map((model) => purityByRank(taxonomy, model, clade));
    const some = byModel[0]?.some((row) => row.n > 0);
    const children = some
      ? [chartOf(this.explorer, byModel), make("details", {}, make("summary", {}, "As a table"), tableOf(this.explorer, byModel))]
      : [make("p", { class: "quiet" }, "No picture of this clade has a relative that could be its nearest neighbour.")];
    const legend = make("p", { class: "chart-legend" },
      ...study.models.map(({ label, color }) => make("span", {}, dot(color), label)),
      make("span", {}, make("span", { class: "chance-line" }), "by chance"));
    this.purity.replaceChildren(...(some ? [legend] : []), ...children);
  }

  showStrays() {
    const { taxonomy, models, state, study } = this.explorer;
    const { clade, model } = state.values;
    if (!models.length) return;
    const strays = straysOf(taxonomy, models[model], clade);
    const n = taxonomy.size(clade);
    const where = clade === ROOT ? `is of another ${taxonomy.ranks[firstDividedRank(taxonomy)]}` : "is outside this clade";
    if (!strays.length) {
      const none = `In the eyes of ${study.models[model].label}, the nearest picture of no picture ${where}.`;
      return this.strays.replaceChildren(make("p", { class: "quiet" }, none));
    }
    const heading = make("p", { class: "quiet" },
      `In the eyes of ${study.models[model].label}, the nearest picture of ${strays.length.toLocaleString("en")} of ${n.toLocaleString("en")} pictures ${where}. `,
      "The worst come first: least related, then most alike (cosine).");
    const list = make("ol", { class: "strays" });
    const more = make("button", { type: "button", class: "more" });
    const show = (most) => {
      const shown = Math.min(most, strays.length, MOST_STRAYS);
      list.append(...strays.slice(list.children.length, shown).map((stray) => this.#stray(stray)));
      more.hidden = shown >= Math.min(strays.length, MOST_STRAYS);
      more.textContent = `Show ${strays.length > MOST_STRAYS ? `the worst ${MOST_STRAYS}` : `all ${strays.length}`}`;
    };
    more.onclick = () => show(MOST_STRAYS);
    show(STRAYS_AT_FIRST);
    this.strays.replaceChildren(heading, list, more);
  }

  #stray({ picture, neighbor, common, similarity }) {
    const { taxonomy, thumbnails, state } = this.explorer;
    const outside = taxonomy.atRank[taxonomy.rank[common] + 1];
    const kin = common === ROOT ? "another kingdom" : `same ${taxonomy.ranks[taxonomy.rank[common]]} only`;
    const side = (row) => {
      const taxon = taxonomy.taxonOf[row];
      const above = outside[taxon];
      return make("span", { class: "stray-side" },
        thumbnails.kind === "none" ? "" : thumbnails.element(row, taxonomy.name(taxon), 64),
        taxonName(this.explorer, taxon),
        make("span", { class: "quiet" }, above > 0 && above !== taxon ? taxonomy.name(above) : ""));
    };
    const button = make("button", { type: "button", class: "stray" },
      side(picture),
      make("span", { class: "stray-arrow" }, make("span", { "aria-hidden": "true" }, "→"), make("span", {}, similarity.toFixed(2)), make("span", { class: "quiet" }, kin)),
      side(neighbor));
    button.onclick = () => state.set({ picture, hoverPicture: -1 });
    return make("li", {}, button);
  }
}

/** Return a line chart of purity by rank: a line a model, and chance. */
function chartOf({ taxonomy, study }, byModel) {
  const { width, height, left, right, top, bottom } = CHART;
  const ranks = byModel[0].map((row) => row.rank);
  const x = (rank) => left + ((rank - 0.5) / ranks.length) * (width - left - right);
  const y = (share) => height - bottom - share * (height - top - bottom);
  const line = (rows, value, attributes) => {
    const there = rows.filter((row) => Number.isFinite(row[value]));
    return makeSvg("polyline", { points: there.map((row) => `${x(row.rank)},${y(row[value])}`).join(" "), fill: "none", ...attributes });
  };
  const parts = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
    makeSvg("line", { x1: left, x2: width - right, y1: y(share), y2: y(share), class: "grid" }),
    makeSvg("text", { x: left - 6, y: y(share) + 4, "text-anchor": "end" }, share.toFixed(2).replace(/0$/, "")),
  ]);
  parts.push(...ranks.map((rank) => makeSvg("text", { x: x(rank), y: height - 7, "text-anchor": "middle" }, taxonomy.ranks[rank])));
  parts.push(line(byModel[0], "chance", { class: "chance" }));
  for (const [number, rows] of byModel.entries()) {
    const { color, label } = study.models[number];
    parts.push(line(rows, "purity", { stroke: color, "stroke-width": 2 }));
    for (const row of rows.filter((row) => row.n)) {
      const title = `${label}, ${taxonomy.ranks[row.rank]}: ${row.purity.toFixed(3)} of ${row.n.toLocaleString("en")} pictures; chance ${row.chance.toFixed(3)}`;
      parts.push(makeSvg("circle", { cx: x(row.rank), cy: y(row.purity), r: 4, fill: color, class: "value" }, makeSvg("title", {}, title)));
    }
  }
  const label = `Purity by rank: share of pictures whose nearest picture of another species is of their taxon, for ${study.models.map((model) => model.label).join(", ")}`;
  return makeSvg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, class: "chart" }, ...parts);
}

/** Return the same numbers as a table. */
function tableOf({ taxonomy, study }, byModel) {
  const ranks = byModel[0];
  const number = (value) => (Number.isFinite(value) ? value.toFixed(3) : "–");
  const row = (name, values) => make("tr", {}, make("th", { scope: "row" }, name), ...values.map((value) => make("td", {}, value)));
  const head = make("tr", {}, make("th", { scope: "col" }, "model"), ...ranks.map((own) => make("th", { scope: "col" }, taxonomy.ranks[own.rank])));
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {},
    ...byModel.map((rows, i) => row(study.models[i].label, rows.map((own) => number(own.purity)))),
    row("by chance", ranks.map((own) => number(own.chance))),
    row("pictures", ranks.map((own) => own.n.toLocaleString("en"))))));
}
