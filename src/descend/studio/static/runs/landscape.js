// A loss on a plane through a run, which is in its middle.

import { contourLines, levels, paintBands } from "../picture/contours.js";
import { fit, label } from "../picture/layers.js";
import { theme } from "../common/theme.js";

export function drawLandscape(canvas, values, size) {
  const colours = theme();
  const heights = levels(values);
  const { context, width, height } = fit(canvas);
  paintBands(context, heights, size, colours);
  context.strokeStyle = colours.contour;
  context.lineWidth = 0.8;
  context.stroke(contourLines(heights, size, width, height));
  context.font = "600 12px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  label(context, "●", width / 2, height / 2, colours);
}
