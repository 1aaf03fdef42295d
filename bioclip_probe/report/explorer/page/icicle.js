/*
 * The icicle: ranks are columns, a box is a taxon, as high as it has pictures. Its tint says how well the chosen model
 * follows the tree inside the taxon; hatched where that is not defined.
 */

const COLUMN_OF_ANCESTOR = 24;
const MIN_LABEL = 12; // CSS pixels
const MIN_UPRIGHT = 40;
const STRIPE = 5;

class Icicle {
  constructor(canvas, explorer) {
    Object.assign(this, { canvas, explorer, cursor: ROOT });
    this.context = canvas.getContext("2d");
    this.boxes = document.createElement("canvas").getContext("2d");
    this.range = [0, explorer.taxonomy.nPictures]; // the pictures from top to bottom
    this.#listen();
  }

  resize() {
    const { width, height } = this.canvas.getBoundingClientRect();
    this.pixels = this.explorer.pixelRatio;
    [this.width, this.height] = [width, height];
    for (const canvas of [this.canvas, this.boxes.canvas]) {
      canvas.width = Math.round(width * this.pixels);
      canvas.height = Math.round(height * this.pixels);
    }
    this.hatch = this.#hatch();
    this.draw();
  }

  /** Bring the chosen clade to the full height. */
  choose({ animate = true } = {}) {
    const { taxonomy, state, still } = this.explorer;
    const { clade } = state.values;
    this.cursor = clade;
    const from = this.range, to = [taxonomy.first[clade], taxonomy.last[clade]];
    cancelAnimationFrame(this.flight);
    if (!animate || still) {
      this.range = to;
      return this.draw();
    }
    const begun = performance.now();
    const step = (now) => {
      const share = Math.min(Math.max(now - begun, 0) / 320, 1);
      const eased = 1 - (1 - share) ** 3;
      this.range = from.map((value, i) => value + (to[i] - value) * eased);
      this.draw();
      if (share < 1) this.flight = requestAnimationFrame(step);
    };
    this.flight = requestAnimationFrame(step);
  }

  /** Return left edge and width of the column of each rank, in CSS pixels; that of the root has no width. */
  get columns() {
    const { taxonomy, state } = this.explorer;
    const chosen = taxonomy.rank[state.values.clade];
    const wide = taxonomy.species - chosen;
    const narrow = wide ? COLUMN_OF_ANCESTOR : this.width / taxonomy.species;
    const free = this.width - chosen * narrow;
    const shares = Array.from({ length: wide }, (_, i) => 1 + (0.5 * i) / Math.max(wide - 1, 1)); // species are longest
    const sum = shares.reduce((total, own) => total + own, 0);
    const columns = [[0, 0]];
    let left = 0;
    for (let rank = 1; rank <= taxonomy.species; rank++) {
      const width = rank <= chosen ? narrow : (free * shares[rank - chosen - 1]) / sum;
      columns.push([left, width]);
      left += width;
    }
    return columns;
  }

  #y(picture) {
    const [top, bottom] = this.range;
    return ((picture - top) / (bottom - top)) * this.height;
  }

  /** Draw all: the boxes, and what is pointed at. */
  draw() {
    if (!this.width) return;
    this.#drawBoxes();
    this.drawMarks();
  }

  /** Draw what is pointed at on top of the boxes, which are kept as a picture. */
  drawMarks() {
    if (!this.width) return;
    const { context, columns } = this;
    const { state, theme } = this.explorer;
    const { hoverClade } = state.values;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.boxes.canvas, 0, 0);
    context.setTransform(this.pixels, 0, 0, this.pixels, 0, 0);
    if (hoverClade > ROOT) this.#outline(hoverClade, columns, theme.ink);
    if (this.cursor > ROOT && document.activeElement === this.canvas) this.#outline(this.cursor, columns, theme.high);
    this.#showPicture();
  }

  #drawBoxes() {
    const { explorer, columns, boxes } = this;
    const { taxonomy } = explorer;
    boxes.setTransform(this.pixels, 0, 0, this.pixels, 0, 0);
    boxes.clearRect(0, 0, this.width, this.height);
    const drawn = new Float64Array(taxonomy.ranks.length).fill(-1); // how far down each column is painted
    for (let taxon = 1; taxon < taxonomy.nTaxa; taxon++) {
      const top = Math.max(this.#y(taxonomy.first[taxon]), -1);
      const bottom = Math.min(this.#y(taxonomy.last[taxon]), this.height + 1);
      if (bottom <= 0 || top >= this.height) {
        taxon = taxonomy.stop[taxon] - 1; // nor is anything of it in sight
        continue;
      }
      const rank = taxonomy.rank[taxon];
      if (bottom - drawn[rank] < 0.6) continue; // a pixel row is painted once
      drawn[rank] = bottom;
      this.#box(taxon, columns[rank], top, bottom);
    }
  }

  #box(taxon, [left, width], top, bottom) {
    const { boxes: context, explorer } = this;
    const { taxonomy, state, theme, boxColors, taxonColor } = explorer;
    const rank = taxonomy.rank[taxon];
    const color = boxColors[taxon];
    const defined = color !== 0;
    const height = bottom - top;
    const gap = height > 3 ? 1 : 0;
    context.fillStyle = defined ? cssOf(color) : cssOf(theme.low);
    context.fillRect(left, top, width - 1, Math.max(height - gap, 0.5));
    if (!defined) {
      context.fillStyle = this.hatch;
      context.fillRect(left, top, width - 1, Math.max(height - gap, 0.5));
    }
    let inset = 4;
    if (rank === explorer.colorRank && taxon > state.values.clade) {
      context.fillStyle = cssOf(taxonColor[taxon]);
      context.fillRect(left, top, STRIPE, Math.max(height - gap, 0.5));
      inset += STRIPE;
    }
    if (height < MIN_LABEL) return;
    context.fillStyle = lightness(defined ? color : theme.low) < 0.52 ? "#ffffff" : "#1d2433";
    context.font = `${taxonomy.isItalic(taxon) ? "italic " : ""}${taxon === state.values.clade ? 600 : 400} 11px system-ui, sans-serif`;
    this.#write(this.#label(taxon), left + inset, width - inset - 4, Math.max(top, 0), Math.min(bottom, this.height));
  }

  /** Write a name into a box: along it, or upright where it fits better, or nothing where it does not fit. */
  #write(name, left, width, top, bottom) {
    const { boxes: context } = this;
    const height = bottom - top;
    const length = context.measureText(name).width;
    context.textBaseline = "middle";
    if (length <= width || (height < length + 8 && width > COLUMN_OF_ANCESTOR)) {
      context.fillText(this.#shortened(name, width), left, (top + bottom) / 2);
      return;
    }
    if (height < MIN_UPRIGHT) return;
    context.save();
    context.translate(left + width / 2, (top + bottom) / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText(this.#shortened(name, height - 8), 0, 0);
    context.restore();
  }

  /** Return the name on a box: of a species, its genus is an initial. */
  #label(taxon) {
    const { taxonomy } = this.explorer;
    const name = taxonomy.name(taxon);
    const [genus, ...epithets] = name.split(" ");
    return taxonomy.rank[taxon] === taxonomy.species && epithets.length ? `${[...genus][0]}. ${epithets.join(" ")}` : name;
  }

  #shortened(text, width) {
    if (this.boxes.measureText(text).width <= width) return text;
    let length = Math.floor(text.length * Math.min(width / this.boxes.measureText(text).width, 1));
    while (length > 1 && this.boxes.measureText(`${text.slice(0, length)}…`).width > width) length--;
    return length > 1 ? `${text.slice(0, length)}…` : "";
  }

  #outline(taxon, columns, color) {
    const { taxonomy } = this.explorer;
    const [left, width] = columns[taxonomy.rank[taxon]];
    const top = Math.max(this.#y(taxonomy.first[taxon]), 0), bottom = Math.min(this.#y(taxonomy.last[taxon]), this.height);
    if (bottom < top) return;
    this.context.lineWidth = 2;
    this.context.strokeStyle = cssOf(color);
    this.context.strokeRect(left + 1, top + 1, Math.max(width - 3, 1), Math.max(bottom - top - 3, 1));
  }

  /** Mark the row of the picture that is shown. */
  #showPicture() {
    const { state, theme } = this.explorer;
    const picture = state.shownPicture;
    if (picture < this.range[0] || picture >= this.range[1]) return;
    const y = this.#y(picture + 0.5), { context } = this;
    context.fillStyle = cssOf(theme.ink);
    context.beginPath();
    context.moveTo(this.width, y - 5), context.lineTo(this.width - 8, y), context.lineTo(this.width, y + 5);
    context.fill();
    context.globalAlpha = 0.35; // names stay readable
    context.fillRect(0, y - 0.5, this.width, 1);
    context.globalAlpha = 1;
  }

  /** Return a pattern of thin slanted lines. */
  #hatch() {
    const tile = document.createElement("canvas");
    const size = Math.round(6 * this.pixels);
    tile.width = tile.height = size;
    const context = tile.getContext("2d");
    context.strokeStyle = cssOf(this.explorer.theme.line);
    context.lineWidth = 0.8 * this.pixels;
    for (const shift of [-size, 0, size]) {
      context.beginPath();
      context.moveTo(shift, size), context.lineTo(shift + size, 0);
      context.stroke();
    }
    const pattern = this.context.createPattern(tile, "repeat");
    pattern.setTransform(new DOMMatrix().scale(1 / this.pixels));
    return pattern;
  }

  /** Return the taxon at a place, in CSS pixels; the root where there is none. */
  taxonAt(x, y) {
    const { taxonomy } = this.explorer;
    const rank = this.columns.findIndex(([left, width]) => width && x >= left && x < left + width);
    const [top, bottom] = this.range;
    const picture = Math.floor(top + (y / this.height) * (bottom - top));
    if (rank < 1 || picture < 0 || picture >= taxonomy.nPictures) return ROOT;
    return Math.max(taxonomy.taxonAt(picture, rank), ROOT);
  }

  #listen() {
    const { canvas, explorer } = this;
    const { state, taxonomy } = explorer;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return this.taxonAt(event.clientX - box.left, event.clientY - box.top);
    };
    canvas.onpointermove = (event) => state.set({ hoverClade: at(event) || -1 });
    canvas.onpointerleave = () => state.set({ hoverClade: -1 });
    canvas.onclick = (event) => this.#descend(at(event));
    canvas.onfocus = canvas.onblur = () => this.drawMarks();
    const move = (taxon) => {
      if (taxon === undefined) return;
      this.cursor = taxon;
      state.set({ hoverClade: taxon || -1 });
      explorer.say(explorer.describe(taxon));
      this.drawMarks();
    };
    const sibling = (step) => {
      const siblings = taxonomy.children(taxonomy.parent[this.cursor]);
      return siblings[siblings.indexOf(this.cursor) + step];
    };
    const keys = {
      ArrowRight: () => move(taxonomy.children(this.cursor)[0]),
      ArrowLeft: () => move(taxonomy.parent[this.cursor]),
      ArrowDown: () => move(sibling(1)),
      ArrowUp: () => move(sibling(-1)),
      Enter: () => this.#descend(this.cursor),
      " ": () => this.#descend(this.cursor),
    };
    canvas.onkeydown = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    };
  }

  /** Choose a taxon; the chosen one is left for the one above. */
  #descend(taxon) {
    const { state, taxonomy } = this.explorer;
    const { clade } = state.values;
    state.set({ clade: taxon === clade && taxon !== ROOT ? taxonomy.parent[taxon] : taxon, hoverClade: -1 });
  }
}
