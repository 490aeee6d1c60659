// The file: what it is and has, that it has changed meanwhile, and what is wrong with it.

const count = (number, one, many) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

export class FilePanel {
  constructor({ own: { file, size, rows, batch_size: batch }, functions: [{ says }] }, onReload) {
    const [name, words, numbers, changed, error, reload] = [
      "file-name", "file-says", "file-numbers", "file-changed", "file-error", "reload",
    ].map((id) => document.getElementById(id));
    Object.assign(this, { changed, error, mathml: "" });
    name.textContent = file;
    words.textContent = says;
    const data = rows ? `, ${count(rows, "row", "rows")} of data` : "";
    const each = batch ? `, in batches of ${batch.toLocaleString("en")}` : "";
    numbers.textContent = `${count(size, "parameter", "parameters")}${data}${each}`;
    if (batch) document.getElementById("loss-title").textContent = "Loss of each step’s batch";
    reload.addEventListener("click", onReload);
  }

  // The function of this page is always the file.
  show() {
    this.fail("");
  }

  // It is written in the file, and not as mathematics.
  write() {}

  tellChanged(changed) {
    this.changed.textContent = changed ? "The file has changed since it was read." : "";
  }

  fail(says) {
    if (this.error.textContent !== says) this.error.textContent = says;
  }
}
