// One HTML file of a race that opens anywhere, offline: what is on the screen as data, and the modules that show it,
// each inlined. Its own policy lets nothing in from outside.

// Asked for when it is needed: a page that is inlined has none.
const root = () => new URL("../", import.meta.url);
const ENTRY = "race/saved.js";
const STYLES = ["common/base.css", "common/page.css", "picture/picture.css", "race/race.css"];
const IMPORT = /from "(\.{1,2}\/[\w/]+\.js)"/g;

export async function savedPage(snapshot) {
  const [page, modules, ...styles] = await Promise.all([text("race/saved.html"), modulesOf(ENTRY), ...STYLES.map(text)]);
  const inlined = Object.entries(modules).map(([name, source]) => [`studio/${name}`, asUrl(source)]);
  const parts = {
    TITLE: escaped(`${snapshot.title} – descend studio`),
    STYLE: styles.join("\n"),
    IMPORTS: JSON.stringify({ imports: Object.fromEntries(inlined) }),
    RACE: JSON.stringify(snapshot).replaceAll("<", "\\u003c"),
    ENTRY: `import "studio/${ENTRY}";`,
  };
  return page.replace(/<!--([A-Z]+)-->|\/\*([A-Z]+)\*\//g, (_, one, other) => parts[one || other]);
}

// A module and all that it imports, by name. Inlined modules find each other by names that an import map tells:
// addresses relative to a module mean nothing there.
async function modulesOf(name, found = {}) {
  if (name in found) return found;
  found[name] = "";
  const source = await text(name);
  for (const [, imported] of source.matchAll(IMPORT)) await modulesOf(nameOf(imported, name), found);
  found[name] = source.replace(IMPORT, (_, imported) => `from "studio/${nameOf(imported, name)}"`);
  return found;
}

// The name of what a module imports, from the root of all modules.
function nameOf(imported, from) {
  return new URL(imported, new URL(from, root())).href.slice(root().href.length);
}

async function text(name) {
  return (await fetch(new URL(name, root()))).text();
}

function asUrl(source) {
  return `data:text/javascript;base64,${btoa(String.fromCharCode(...new TextEncoder().encode(source)))}`;
}

function escaped(words) {
  return words.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
