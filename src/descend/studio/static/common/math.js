// MathML of the server on the page: its elements, and of their attributes those that lay out.

const NAMESPACE = "http://www.w3.org/1998/Math/MathML";
const ATTRIBUTES = ["display", "stretchy", "fence", "form", "lspace", "rspace", "minsize", "maxsize", "linethickness"];

export function setMath(root, mathml) {
  const parsed = new DOMParser().parseFromString(mathml, "application/xml").documentElement;
  root.replaceChildren(...(parsed.localName === "math" ? [copy(parsed)] : []));
}

function copy(node) {
  if (node.nodeType === Node.TEXT_NODE) return document.createTextNode(node.data);
  const made = document.createElementNS(NAMESPACE, node.localName);
  for (const name of ATTRIBUTES) if (node.hasAttribute(name)) made.setAttribute(name, node.getAttribute(name));
  for (const child of node.childNodes) {
    if (child.nodeType === Node.TEXT_NODE || child.namespaceURI === NAMESPACE) made.append(copy(child));
  }
  return made;
}
