// The window of the plane that is looked at: buttons and the wheel draw it in and out.

import { Plane, zoomed } from "./plane.js";

const BUTTON = 1.6;
const WHEEL = 1.15;

export function prepareZoom({ now, whole, onWindow }) {
  const canvas = document.querySelector("#picture .balls");
  const byButton = (factor) => {
    const [x0, x1, y0, y1] = now();
    onWindow(zoomed([x0, x1, y0, y1], factor, [(x0 + x1) / 2, (y0 + y1) / 2]));
  };
  document.getElementById("zoom-in").addEventListener("click", () => byButton(1 / BUTTON));
  document.getElementById("zoom-out").addEventListener("click", () => byButton(BUTTON));
  document.getElementById("zoom-reset").addEventListener("click", () => onWindow(whole()));
  // With the control key alone, as on maps: the wheel of a page scrolls it.
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const box = canvas.getBoundingClientRect();
    const plane = new Plane(now(), box.width, box.height);
    const point = plane.toPoint(event.clientX - box.left, event.clientY - box.top);
    onWindow(zoomed(now(), event.deltaY > 0 ? WHEEL : 1 / WHEEL, point));
  }, { passive: false });
}
