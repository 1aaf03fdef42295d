/* Colours: of taxa, nested by clade, and of the tints of the icicle. A colour is a number, as canvas pixels have it. */

/* Every two stay apart for readers with a colour-vision deficiency (P. Tol's "bright" list). */
const FEW_COLORS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377"];
const HUE_GAP = 0.12; // share of a hue range that stays empty between clades

/** Return a pixel of red, green and blue from 0 to 255. */
function pixelOf(red, green, blue) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

function pixelOfHex(hex) {
  const number = parseInt(hex.slice(1), 16);
  return pixelOf(number >> 16, (number >> 8) & 255, number & 255);
}

function cssOf(pixel) {
  return `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;
}

/** Return the share of light that a pixel reflects, 0 to 1, to choose dark or light text on it. */
function lightness(pixel) {
  return (0.299 * (pixel & 255) + 0.587 * ((pixel >> 8) & 255) + 0.114 * ((pixel >> 16) & 255)) / 255;
}

function mix(one, other, share) {
  const part = (shift) => Math.round(((one >> shift) & 255) * (1 - share) + ((other >> shift) & 255) * share);
  return pixelOf(part(0), part(8), part(16));
}

/** Return the pixel of a colour in OKLCH (Ottosson 2020): equal steps look equal. The hue is in turns. */
function pixelOfOklch(light, chroma, hue) {
  const a = chroma * Math.cos(2 * Math.PI * hue);
  const b = chroma * Math.sin(2 * Math.PI * hue);
  const l = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (light - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const channel = (linear) => {
    const value = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
    return Math.round(255 * Math.min(Math.max(value, 0), 1));
  };
  return pixelOf(
    channel(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    channel(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    channel(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  );
}

/**
 * Return the colour of each taxon, by the taxon at `rank` that it belongs to: one of a few safe colours where few taxa
 * are told apart inside the clade, else a hue of the range that its own clade has. Others are `grey`.
 */
function taxonColors(taxonomy, clade, rank, grey) {
  const colors = new Uint32Array(taxonomy.nTaxa).fill(grey);
  const taxa = taxonomy.inside(clade, rank);
  if (taxa.length <= FEW_COLORS.length) {
    for (const [number, taxon] of taxa.entries()) {
      colors.fill(pixelOfHex(FEW_COLORS[number]), taxon, taxonomy.stop[taxon]);
    }
    return colors;
  }
  let number = 0;
  const divide = (taxon, low, high) => {
    if (taxonomy.rank[taxon] >= rank) {
      if (taxonomy.rank[taxon] > rank) return;
      const light = [0.64, 0.76, 0.54][number % 3];
      number++;
      colors.fill(pixelOfOklch(light, 0.13, (low + high) / 2), taxon, taxonomy.stop[taxon]);
      return;
    }
    const children = taxonomy.children(taxon);
    const weight = children.map((child) => Math.sqrt(taxonomy.size(child)));
    const gap = children.length > 1 ? (HUE_GAP * (high - low)) / children.length : 0;
    const unit = (high - low - gap * children.length) / weight.reduce((sum, own) => sum + own, 0);
    let start = low + gap / 2;
    for (const [i, child] of children.entries()) {
      divide(child, start, start + unit * weight[i]);
      start += unit * weight[i] + gap;
    }
  };
  divide(clade, 0.05, 1.05);
  return colors;
}

/** Return the tint of a value from -1 to 1: from paper to leaf, and to earth below 0. */
function tintOf(value, theme) {
  return value >= 0 ? mix(theme.low, theme.high, Math.min(value, 1)) : mix(theme.low, theme.below, Math.min(-value * 2, 1));
}

/** Return the tint of a difference: towards the colour of the model that is ahead. */
function differenceTint(value, ahead, behind, theme) {
  return mix(theme.low, value >= 0 ? ahead : behind, Math.min(Math.abs(value) * 1.6, 1));
}

/** Return the colours of the page as pixels. */
function readTheme() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => pixelOfHex(style.getPropertyValue(`--${name}`).trim());
  return Object.fromEntries(["paper", "card", "ink", "quiet", "line", "grey", "fade", "low", "high", "below"].map((name) => [name, read(name)]));
}
