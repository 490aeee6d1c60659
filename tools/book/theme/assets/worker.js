// Browsers start no worker of a page that is a file. There, what would run in one runs in a hidden frame, so that the
// book can be searched without a server.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      this.inside = this.frame.contentWindow;
      // As messages of a worker come: copies, and later, when whoever asks has done what it was about.
      this.inside.postMessage = (data) => {
        const copy = structuredClone(data);
        setTimeout(() => this.onmessage?.({ data: copy }));
      };
      const script = this.inside.document.createElement("script");
      script.src = url;
      this.isReady = new Promise((done, failed) => {
        script.onload = done;
        script.onerror = failed;
      });
      this.isReady.catch((error) => this.onerror?.(error));
      this.inside.document.head.append(script);
    }

    postMessage(data) {
      const copy = structuredClone(data);
      this.isReady.then(() => setTimeout(() => this.inside?.onmessage({ data: copy })), () => {});
    }

    terminate() {
      this.inside = null;
      this.frame.remove();
    }
  };
}
