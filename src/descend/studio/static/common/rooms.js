// The rooms of this studio, as links in the masthead. They share the token of the tab.

export function showRooms(rooms, here) {
  const links = rooms.map(({ name, title, path }) => {
    const link = document.createElement("a");
    link.href = path;
    link.textContent = title;
    if (name === here) link.setAttribute("aria-current", "page");
    return link;
  });
  document.getElementById("rooms").replaceChildren(...links);
}
