// Which lesson is open, by the address: its text, its figures, and the way to the others.

import { nameIn } from "../common/address.js";
import { FigurePanel } from "./figure_panel.js";

const byId = (id) => document.getElementById(id);

export class LessonsPage {
  constructor(connection, { lessons, version }) {
    this.connection = connection;
    this.lessons = lessons;
    this.figures = new FigurePanel((message, kept) => connection.ask(message, kept), version);
    this.list();
    const wide = matchMedia("(min-width: 901px)");
    const unfold = () => (byId("fold").open = wide.matches);
    wide.addEventListener("change", unfold);
    unfold();
    addEventListener("hashchange", () => this.open({ turned: true }));
    this.open({ turned: false });
  }

  list() {
    const items = this.lessons.map(({ name, title }) => {
      const item = document.createElement("li");
      const link = Object.assign(document.createElement("a"), { href: `#${name}`, textContent: title });
      item.append(link);
      return item;
    });
    byId("contents").replaceChildren(...items);
  }

  // The lesson that the address names, or the first.
  open({ turned }) {
    const named = this.lessons.findIndex(({ name }) => name === nameIn(location.hash));
    this.index = Math.max(0, named);
    const { name } = this.lessons[this.index];
    byId("lesson").setAttribute("aria-busy", "true");
    this.connection.ask({ kind: "lesson", lesson: name }, { lesson: name, turned });
  }

  receive(header, body, kept) {
    if (header.kind !== "lesson") this.figures.receive(header, body, kept);
    else if (kept.lesson === this.lessons[this.index].name) this.show(header, kept.turned);
  }

  show({ name, title, before, behind, figures }, turned) {
    document.title = `${title} – Lessons – descend studio`;
    fill(byId("before"), before);
    fill(byId("behind"), behind);
    byId("contents").querySelectorAll("a").forEach((link, index) => {
      if (index === this.index) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    });
    this.turn(byId("previous"), this.index - 1, (there) => `← ${there}`);
    this.turn(byId("next"), this.index + 1, (there) => `${there} →`);
    byId("lesson").setAttribute("aria-busy", "false");
    this.figures.show(name, figures);
    if (!turned) return;
    if (!matchMedia("(min-width: 901px)").matches) byId("fold").open = false;
    scrollTo(0, 0);
    byId("before").querySelector("h1").focus({ preventScroll: true });
  }

  turn(link, index, words) {
    const lesson = this.lessons[index];
    link.hidden = !lesson;
    if (!lesson) return;
    link.href = `#${lesson.name}`;
    link.textContent = words(lesson.title);
  }
}

// The text is the studio's own. What may be wider than a phone can be scrolled by keys, too.
function fill(root, html) {
  root.innerHTML = html;
  root.querySelectorAll("h1").forEach((title) => (title.tabIndex = -1));
  root.querySelectorAll("pre").forEach((code) => scrollable(code, "Code"));
  root.querySelectorAll("math[display=block]").forEach((math) => {
    math.parentElement.classList.add("formula");
    scrollable(math.parentElement, "Formula");
  });
}

function scrollable(element, label) {
  element.tabIndex = 0;
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", label);
}
