/* A panel: the pictures of the chosen clade in the plane of one model, with its own camera. */

const NOWHERE = 65535;
const REACH = 14; // how far from a point, in CSS pixels, the pointer still finds it
const REST = 110; // milliseconds without movement after which pixels take the mean colour
const FEW = 6000; // up to so many pictures, every frame takes the mean colour
const PADDING = 0.06;

class Panel {
  constructor(number, explorer) {
    Object.assign(this, { number, explorer });
    const { study, taxonomy } = explorer;
    this.model = explorer.models[number];
    this.n = taxonomy.nPictures;
    this.points = { x: new Float32Array(this.n), y: new Float32Array(this.n) };
    this.element = document.getElementById("panel").content.firstElementChild.cloneNode(true);
    const part = (name) => this.element.querySelector(`.${name}`);
    part("model-name").textContent = study.models[number].label;
    this.element.style.setProperty("--model", study.models[number].color);
    this.caption = part("panel-caption");
    this.canvas = part("points");
    this.canvas.setAttribute("aria-label", `Map of ${study.models[number].label}: arrow keys move, plus and minus zoom`);
    this.marks = part("marks");
    this.raster = new Raster(this.canvas);
    part("zoom-in").onclick = () => this.zoom(1.5);
    part("zoom-out").onclick = () => this.zoom(1 / 1.5);
    part("zoom-fit").onclick = () => this.fit(true);
    this.#listen();
  }

  // What is shown.

  /** Take the coordinates of the chosen clade and method: refitted ones where the study has them. */
  choose({ animate = true } = {}) {
    const { study, taxonomy, state } = this.explorer;
    const { clade, method } = state.values;
    const refit = `refit/${this.number}/${method}/${clade}`;
    this.refitted = study.has(refit);
    const array = study.array(this.refitted ? refit : `map/${this.number}/${method}`);
    this.begin = this.refitted ? taxonomy.first[clade] : 0;
    this.end = this.refitted ? taxonomy.last[clade] : this.n;
    const half = array.length / 2;
    this.source = { x: array.subarray(0, half), y: array.subarray(half) };
    this.fit(animate);
    const kind = clade === ROOT ? "all pictures" : this.refitted ? "refitted to this clade" : "a part of the map of all";
    this.caption.textContent = this.bounds ? kind : "too few pictures for a map";
  }

  /** Point the camera at the chosen clade. */
  fit(animate = false) {
    const { taxonomy, state } = this.explorer;
    const { clade } = state.values;
    const { x, y } = this.source;
    let left = Infinity, right = -Infinity, top = Infinity, bottom = -Infinity;
    for (let i = taxonomy.first[clade] - this.begin; i < taxonomy.last[clade] - this.begin; i++) {
      if (x[i] === NOWHERE) continue;
      left = Math.min(left, x[i]), right = Math.max(right, x[i]);
      top = Math.min(top, y[i]), bottom = Math.max(bottom, y[i]);
    }
    this.bounds = left <= right ? { left, right, top, bottom } : null;
    this.#aim(animate);
  }

  #aim(animate) {
    const { width, height } = this.raster;
    if (!width || !this.bounds) return;
    const { left, right, top, bottom } = this.bounds;
    const free = 1 - 2 * PADDING;
    const scale = Math.min((free * width) / Math.max(right - left, 1), (free * height) / Math.max(bottom - top, 1));
    this.unit = scale; // the scale at which the clade fits
    const view = { scale, x: width / 2 - (scale * (left + right)) / 2, y: height / 2 - (scale * (top + bottom)) / 2 };
    if (animate) this.#animate(view);
    else this.#show(view);
  }

  #show(view) {
    this.view = view;
    this.#project(this.points, view);
    this.touch();
  }

  /** Write where each picture is on the canvas; NaN where it is not on this map. */
  #project({ x, y }, { scale, x: left, y: top }) {
    const { source, begin, end } = this;
    x.fill(NaN, 0, begin);
    x.fill(NaN, end);
    for (let i = begin, j = 0; i < end; i++, j++) {
      x[i] = source.x[j] === NOWHERE ? NaN : left + scale * source.x[j];
      y[i] = top + scale * source.y[j];
    }
  }

  /** Move the points from where they are to where a view has them. */
  #animate(view) {
    cancelAnimationFrame(this.flight);
    if (!this.view || this.explorer.still) return this.#show(view);
    const from = { x: this.points.x.slice(), y: this.points.y.slice() };
    const to = { x: new Float32Array(this.n), y: new Float32Array(this.n) };
    this.view = view;
    this.#project(to, view);
    const begun = performance.now();
    const step = (now) => {
      const share = Math.min(Math.max(now - begun, 0) / 420, 1);
      const eased = share < 0.5 ? 4 * share ** 3 : 1 - (2 - 2 * share) ** 3 / 2;
      for (let i = 0; i < this.n; i++) {
        const known = from.x[i] === from.x[i];
        this.points.x[i] = known ? from.x[i] + (to.x[i] - from.x[i]) * eased : to.x[i];
        this.points.y[i] = known ? from.y[i] + (to.y[i] - from.y[i]) * eased : to.y[i];
      }
      this.touch();
      if (share < 1) this.flight = requestAnimationFrame(step);
    };
    this.flight = requestAnimationFrame(step);
  }

  // Drawing.

  /** Draw soon, and with mean colours once nothing has moved for a while. */
  touch() {
    this.explorer.redraw(this);
  }

  /** Fit the canvases to their place; return true if their size has changed. */
  resize() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const pixels = this.explorer.pixelRatio;
    if (!width || (this.raster.width === Math.round(width * pixels) && this.pixels === pixels)) return false;
    this.pixels = pixels;
    this.raster.resize(Math.round(width * pixels), Math.round(height * pixels));
    if (this.source) this.#aim(false);
    return true;
  }

  draw(exact = true) {
    if (!this.view || !this.raster.width) return;
    const { taxonomy, state, colors, theme } = this.explorer;
    const { clade, hoverClade } = state.values;
    const bright = hoverClade >= 0 && hoverClade !== clade ? hoverClade : clade;
    this.raster.draw(
      {
        ...this.points,
        color: colors,
        begin: this.begin,
        end: this.end,
        first: taxonomy.first[bright],
        last: taxonomy.last[bright],
        fade: theme.fade,
      },
      this.radius,
      exact || this.n <= FEW,
    );
    this.drawMarks();
  }

  /** Radius of a point in canvas pixels: the ink of all points together stays about the same. */
  get radius() {
    const { taxonomy, state } = this.explorer;
    const area = this.raster.width * this.raster.height;
    const closeness = Math.sqrt(this.view.scale / this.unit);
    const size = 0.2 * Math.sqrt(area / Math.max(taxonomy.size(state.values.clade), 1)) * closeness;
    return Math.min(Math.max(size, 0.75 * this.pixels), 4.5 * this.pixels);
  }

  /** Draw the picture that is shown, ringed, with lines to its true nearest neighbours in this model. */
  drawMarks() {
    const picture = this.explorer.state.shownPicture;
    if (picture < 0 || !this.#isOnMap(picture)) return this.marks.replaceChildren();
    const neighbors = this.explorer.neighborsOf(this.model, picture).filter((neighbor) => this.#isOnMap(neighbor));
    const lines = ["halo", "line"].flatMap((kind) => neighbors.map((neighbor) => this.#line(picture, neighbor, kind)));
    this.marks.replaceChildren(...lines, ...neighbors.map((row) => this.#ring(row, 3.2)), this.#ring(picture, 6.5));
  }

  /** Return where a picture is, in CSS pixels. */
  #place(picture) {
    return [this.points.x[picture] / this.pixels, this.points.y[picture] / this.pixels];
  }

  #line(one, other, kind) {
    const [[x1, y1], [x2, y2]] = [this.#place(one), this.#place(other)];
    return makeSvg("line", { x1, y1, x2, y2, class: kind });
  }

  #ring(picture, r) {
    const [cx, cy] = this.#place(picture);
    return makeSvg("g", {},
      makeSvg("circle", { cx, cy, r: r + 1.5, class: "ring-halo" }),
      makeSvg("circle", { cx, cy, r, class: "ring", fill: cssOf(this.explorer.colors[picture]) }));
  }

  #isOnMap(picture) {
    return picture >= this.begin && picture < this.end && this.points.x[picture] === this.points.x[picture];
  }

  // Pointer and keys.

  /** Return the picture nearest to a place on the canvas, in canvas pixels; -1 if none is near. */
  pictureAt(px, py) {
    const { taxonomy, state } = this.explorer;
    const { clade } = state.values;
    const { x, y } = this.points;
    let nearest = -1, least = (REACH * this.pixels) ** 2;
    for (let i = taxonomy.first[clade]; i < taxonomy.last[clade]; i++) {
      const distance = (x[i] - px) ** 2 + (y[i] - py) ** 2;
      if (distance < least) (least = distance), (nearest = i);
    }
    return nearest;
  }

  /** Return the number of pictures that are on the canvas. */
  get nDrawn() {
    const { x, y } = this.points;
    let n = 0;
    for (let i = this.begin; i < this.end; i++) {
      if (x[i] >= 0 && y[i] >= 0 && x[i] < this.raster.width && y[i] < this.raster.height) n++;
    }
    return n;
  }

  pan(dx, dy) {
    if (!this.view) return;
    this.#show({ ...this.view, x: this.view.x + dx, y: this.view.y + dy });
  }

  zoom(factor, px = this.raster.width / 2, py = this.raster.height / 2) {
    if (!this.view) return;
    const scale = Math.min(Math.max(this.view.scale * factor, this.unit / 4), this.unit * 200);
    const real = scale / this.view.scale;
    this.#show({ scale, x: px - (px - this.view.x) * real, y: py - (py - this.view.y) * real });
  }

  #listen() {
    const { state } = this.explorer;
    const place = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [(event.clientX - box.left) * this.pixels, (event.clientY - box.top) * this.pixels];
    };
    let drag = null;
    this.canvas.onpointerdown = (event) => {
      drag = { at: place(event), moved: false };
      if (event.pointerType === "mouse") this.canvas.setPointerCapture(event.pointerId);
    };
    this.canvas.onpointermove = (event) => {
      const at = place(event);
      if (drag && event.buttons && event.pointerType === "mouse") {
        const [dx, dy] = [at[0] - drag.at[0], at[1] - drag.at[1]];
        if (!drag.moved && Math.hypot(dx, dy) < 4 * this.pixels) return;
        Object.assign(drag, { at, moved: true });
        this.pan(dx, dy);
      } else state.set({ hoverPicture: this.pictureAt(...at) });
    };
    this.canvas.onpointerup = (event) => {
      if (drag && !drag.moved) {
        const picture = this.pictureAt(...place(event));
        state.set({ picture: picture === state.values.picture ? -1 : picture });
      }
      drag = null;
    };
    this.canvas.onpointerleave = () => state.set({ hoverPicture: -1 });
    this.canvas.ondblclick = () => this.fit(true);
    // A wheel zooms where the panel was clicked, or with Control; else it scrolls the page.
    const wheel = (event) => {
      if (!event.ctrlKey && !event.metaKey && document.activeElement !== this.canvas) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), ...place(event));
    };
    this.canvas.addEventListener("wheel", wheel, { passive: false });
    const step = 40;
    const keys = {
      ArrowLeft: () => this.pan(step, 0),
      ArrowRight: () => this.pan(-step, 0),
      ArrowUp: () => this.pan(0, step),
      ArrowDown: () => this.pan(0, -step),
      "+": () => this.zoom(1.3),
      "=": () => this.zoom(1.3),
      "-": () => this.zoom(1 / 1.3),
    };
    this.canvas.onkeydown = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    };
  }
}
