/* Colours: of taxa, nested by clade, and of the tints of the icicle. A colour is a number, as canvas pixels have it. */

/*
 * Colours of taxa in the order of their hues. Every two of a theme, and each and grey, are ΔE (CIE 1976) 18 or more apart
 * under deuteranopia and protanopia (Machado et al. 2009) and 26 for other readers, and 3 : 1 against the card. They were
 * searched for that, one in each twelfth of the hue circle of OKLCH.
 */
const PALETTE = {
  light: [
    "#c4284a", "#c7814e", "#b38f18", "#5f6703", "#1a4311", "#0f825e",
    "#10738b", "#2a97f7", "#444cab", "#3f04a5", "#5b0861", "#5a203a",
  ],
  dark: [
    "#fbafba", "#c14409", "#e39420", "#a59a56", "#e0e111", "#a5f078",
    "#067f5c", "#73edfa", "#3aa6cb", "#6f69fa", "#a795ff", "#a639bd",
  ],
};

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

/**
 * Return the colour of each taxon, by the taxon at `rank` that it belongs to.
 *
 * The largest of the taxa inside the clade, as many as there are colours, have colours; others are grey. In the order of
 * the taxonomy they go round the circle of hues, so that relatives have neighbouring hues. `chosen` has a colour always.
 */
function taxonColors(taxonomy, clade, rank, chosen, theme) {
  const colors = new Uint32Array(taxonomy.nTaxa).fill(theme.grey);
  const { palette } = theme;
  const rankOf = (taxon) => (taxon === chosen ? Infinity : taxonomy.size(taxon));
  const bySize = taxonomy.inside(clade, rank).sort((a, b) => rankOf(b) - rankOf(a) || a - b);
  const colored = bySize.slice(0, palette.length).sort((a, b) => a - b);
  for (const [number, taxon] of colored.entries()) {
    const step = palette.length / colored.length;
    const place = Math.floor(number * step + Math.min(step - 1, 1)); // few taxa begin at the second, a lively one
    colors.fill(palette[place], taxon, taxonomy.stop[taxon]);
  }
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
  const names = ["paper", "card", "ink", "quiet", "line", "grey", "fade", "low", "high", "below"];
  const palette = PALETTE[document.documentElement.dataset.theme].map(pixelOfHex);
  return { ...Object.fromEntries(names.map((name) => [name, read(name)])), palette };
}
