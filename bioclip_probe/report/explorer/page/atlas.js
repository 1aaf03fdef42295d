/* Thumbnails: each stands on an atlas, a large picture that is decoded when one of its thumbnails is first shown. */

class Thumbnails {
  constructor(study) {
    ({ kind: this.kind, size: this.size, perAtlas: this.perAtlas } = study.thumbnails);
    this.slot = study.array("thumbnail");
    this.columns = Math.sqrt(this.perAtlas);
    this.atlases = new Map();
  }

  /** Return true if there is a thumbnail of a picture. */
  has(picture) {
    return this.slot[picture] >= 0;
  }

  /** Return an element that shows the thumbnail of a picture, or its initial where there is none. */
  element(picture, label, width = this.size) {
    const element = document.createElement("canvas");
    const scale = Math.min(window.devicePixelRatio || 1, 2);
    element.width = element.height = Math.round(width * scale);
    element.className = "thumbnail";
    element.style.width = element.style.height = `${width}px`;
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", label);
    this.#draw(element, picture);
    return element;
  }

  async #draw(element, picture) {
    if (!this.has(picture)) {
      element.classList.add("missing");
      return;
    }
    const slot = this.slot[picture];
    const image = await this.#atlas(Math.floor(slot / this.perAtlas));
    const place = slot % this.perAtlas;
    const x = (place % this.columns) * this.size;
    const y = Math.floor(place / this.columns) * this.size;
    const context = element.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(image, x, y, this.size, this.size, 0, 0, element.width, element.height);
    element.dataset.drawn = "";
  }

  #atlas(number) {
    if (!this.atlases.has(number)) {
      const image = new Image();
      image.src = `data:image/webp;base64,${document.getElementById(`atlas-${number}`).textContent.trim()}`;
      this.atlases.set(number, image.decode().then(() => image));
    }
    return this.atlases.get(number);
  }
}
