/*
 * The rasteriser: points on a 2-D canvas, computed pixel by pixel.
 *
 * At rest each pixel takes the mean colour of the points that cover it, so that no taxon lies on top because of its
 * place in the data. While something moves, the last point wins, which is several times as fast.
 */

const FULL = 16; // weight of a pixel that a point covers whole

class Raster {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.stamps = new Map();
  }

  resize(width, height) {
    if (this.width === width && this.height === height) return;
    this.width = this.canvas.width = width;
    this.height = this.canvas.height = height;
    this.image = this.context.createImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.sums = new Uint32Array(4 * width * height); // red, green, blue, weight
  }

  /**
   * Draw points.
   *
   * `points` has x and y (Float32Array, in pixels), `color` (a pixel each), and the slice `first` to `last` of them that
   * is drawn in its own colours; the others, from `begin` to `end`, are drawn in the colour `fade` behind it.
   */
  draw(points, radius, exact) {
    const stamp = this.#stamp(radius);
    this.pixels.fill(0);
    const { begin, end, first, last } = points;
    this.#paint(points, begin, Math.min(first, end), stamp, points.fade);
    this.#paint(points, Math.max(last, begin), end, stamp, points.fade);
    if (exact) this.#average(points, Math.max(first, begin), Math.min(last, end), stamp);
    else this.#paint(points, Math.max(first, begin), Math.min(last, end), stamp, null);
    this.context.putImageData(this.image, 0, 0);
  }


  /** Return a disc: the offsets of its pixels, the weight of each, and how far it reaches. */
  #stamp(radius) {
    const key = Math.round(radius * 4);
    if (!this.stamps.has(key)) {
      const r = Math.max(key / 4, 0.5);
      const reach = Math.ceil(r - 0.5);
      const dx = [], dy = [], weight = [];
      for (let y = -reach; y <= reach; y++) {
        for (let x = -reach; x <= reach; x++) {
          const cover = Math.min(Math.max(r + 0.5 - Math.hypot(x, y), 0), 1);
          if (cover > 0.08) dx.push(x), dy.push(y), weight.push(Math.round(cover * FULL));
        }
      }
      this.stamps.set(key, { reach, dx, dy, weight });
    }
    return this.stamps.get(key);
  }

  /** Return the offsets of a stamp in an array of pixels. */
  #offsets(stamp) {
    return Int32Array.from(stamp.dx, (dx, i) => stamp.dy[i] * this.width + dx);
  }

  /** Draw points so that the last one wins, each in its colour or all in one. */
  #paint({ x, y, color }, start, stop, stamp, one) {
    const { width, height, pixels } = this;
    const { reach } = stamp;
    const offsets = this.#offsets(stamp).filter((_, i) => stamp.weight[i] > FULL / 2 - 1);
    for (let i = start; i < stop; i++) {
      const px = Math.round(x[i]), py = Math.round(y[i]);
      if (!(px >= reach && py >= reach && px < width - reach && py < height - reach)) continue;
      const at = py * width + px;
      const pixel = one ?? color[i];
      for (let j = 0; j < offsets.length; j++) pixels[at + offsets[j]] = pixel;
    }
  }

  /** Draw points so that each pixel takes their mean colour, on top of what is there. */
  #average({ x, y, color }, start, stop, stamp) {
    const { width, height, pixels, sums } = this;
    const { reach, weight } = stamp;
    const offsets = this.#offsets(stamp);
    sums.fill(0);
    for (let i = start; i < stop; i++) {
      const px = Math.round(x[i]), py = Math.round(y[i]);
      if (!(px >= reach && py >= reach && px < width - reach && py < height - reach)) continue;
      const at = py * width + px;
      const red = color[i] & 255, green = (color[i] >> 8) & 255, blue = (color[i] >> 16) & 255;
      for (let j = 0; j < offsets.length; j++) {
        const k = 4 * (at + offsets[j]), w = weight[j];
        sums[k] += w * red;
        sums[k + 1] += w * green;
        sums[k + 2] += w * blue;
        sums[k + 3] += w;
      }
    }
    for (let at = 0, k = 0; at < pixels.length; at++, k += 4) {
      const total = sums[k + 3];
      if (!total) continue;
      const opaque = Math.min(total / FULL, 1);
      const behind = pixels[at];
      const share = behind ? opaque : 1; // where something is behind, the two are mixed
      const red = (sums[k] / total) * share + (behind & 255) * (1 - share);
      const green = (sums[k + 1] / total) * share + ((behind >> 8) & 255) * (1 - share);
      const blue = (sums[k + 2] / total) * share + ((behind >> 16) & 255) * (1 - share);
      const alpha = behind ? 255 : Math.round(255 * opaque);
      pixels[at] = ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    }
  }
}
