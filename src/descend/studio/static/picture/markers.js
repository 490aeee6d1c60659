// How balls are told apart without colour: each has a shape and a letter.

const POLYGONS = [null, [4, 45], [3, -90], [4, 0], [5, -90], [3, 90], [6, 0], [8, 22.5]];

export function letter(mark) {
  return "ABCDEFGH"[mark];
}

// Corners of a mark's shape about 0, or null for a circle. Shapes with few corners reach further out, to be as large.
function corners(mark, radius) {
  if (!POLYGONS[mark]) return null;
  const [count, turn] = POLYGONS[mark];
  const reach = radius * Math.sqrt((2 * Math.PI) / (count * Math.sin((2 * Math.PI) / count)));
  return Array.from({ length: count }, (_, index) => {
    const angle = ((turn + (360 * index) / count) * Math.PI) / 180;
    return [reach * Math.cos(angle), reach * Math.sin(angle)];
  });
}

export function drawMarker(context, mark, x, y, radius, { balls, halo, onBall }) {
  const outline = corners(mark, radius);
  context.beginPath();
  if (outline) {
    for (const [dx, dy] of outline) context.lineTo(x + dx, y + dy);
    context.closePath();
  } else {
    context.arc(x, y, radius, 0, 2 * Math.PI);
  }
  context.lineJoin = "round";
  context.lineWidth = 3.5;
  context.strokeStyle = halo;
  context.stroke();
  context.fillStyle = balls[mark];
  context.fill();
  context.fillStyle = onBall;
  context.font = `700 ${Math.round(radius * 1.25)}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(letter(mark), x, y + radius * 0.08);
}

// The same as a picture of its own, which follows the colours of the style sheet.
export function markerImage(mark) {
  const svg = create("svg", { viewBox: "-14 -14 28 28", class: "marker", "aria-hidden": "true" });
  const outline = corners(mark, 9.5);
  const shape = outline ? create("polygon", { points: outline.join(" ") }) : create("circle", { r: 9.5 });
  shape.style.fill = `var(--ball-${mark})`;
  const text = create("text", { y: 4.1, "text-anchor": "middle", "font-size": 11.5, "font-weight": 700 });
  text.style.fill = "var(--on-ball)";
  text.textContent = letter(mark);
  svg.append(shape, text);
  return svg;
}

function create(name, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}
