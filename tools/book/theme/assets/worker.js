// Browsers start no worker of a page that is a file. There, what would run in one runs in a hidden frame, so that the
// book can be searched without a server.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      this.inside = this.frame.contentWindow;
      this.inside.postMessage = (data) => this.onmessage?.({ data });
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
      this.isReady.then(() => this.inside.onmessage({ data }), () => {});
    }

    terminate() {
      this.frame.remove();
    }
  };
}
