/* Elements of the page; strings become text, never markup, so that no name can do harm. */

/** Return an element with attributes and children. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Return an element of a drawing. */
function makeSvg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Return the mark in the colour of a model. */
function dot(color) {
  return make("span", { class: "model-dot", style: `background: ${color}` });
}

/** Return the name of a taxon as an element: genera and species in italics. */
function taxonName({ taxonomy }, taxon) {
  return make(taxonomy.isItalic(taxon) ? "i" : "span", {}, taxonomy.name(taxon));
}

/** Return a button that goes to a taxon. */
function taxonLink(explorer, taxon) {
  const button = make("button", { type: "button", class: "taxon", title: explorer.describe(taxon) }, taxonName(explorer, taxon));
  button.onclick = () => explorer.state.set({ clade: taxon, hoverClade: -1 });
  return button;
}
