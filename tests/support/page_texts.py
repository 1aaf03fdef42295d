"""The texts of a page with their colours, for tests of contrast."""

#: Returns each element with text, its colour and the first opaque colour behind it; folded parts are opened before.
TEXTS = """() => {
  document.querySelectorAll("details").forEach((details) => (details.open = true));
  const rgb = (color) => color.match(/[\\d.]+/g).map(Number);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = rgb(getComputedStyle(one).backgroundColor);
      if (color.length < 4 || color[3] > 0.99) return color;
    }
    return [255, 255, 255];
  };
  return [...document.body.querySelectorAll("*")]
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .map((element) => [element.tagName, rgb(getComputedStyle(element).color), behind(element)]);
}"""
