// A report of a run in a frame. It is a file of anybody's: its scripts run without an origin, and reach nothing.

const VIEW = `
  <div class="heading"><h2 id="report-title"></h2><button type="button">Close</button></div>
  <iframe sandbox="allow-scripts" title="Report" referrerpolicy="no-referrer"></iframe>`;

export class ReportView {
  open(name, path) {
    const dialog = document.createElement("dialog");
    dialog.className = "report";
    dialog.setAttribute("aria-labelledby", "report-title");
    dialog.innerHTML = VIEW;
    dialog.querySelector("h2").textContent = name;
    dialog.querySelector("iframe").src = path;
    dialog.querySelector("button").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }
}
