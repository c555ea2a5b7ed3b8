// For the tracker bench: frames of a video file or a camera, taken in the browser one at a time.

const WIDTH = 320; // of the frames sent, at most
const STEP = 1 / 25; // seconds of a video file from one frame sent to the next
const INSTEAD = "Choose a video file, give TrackerBench(video=\"path\") or TrackerBench(camera=0) in Python, " +
  "or run: python -m course_lib live --camera 0";
const REFUSED = {
  NotAllowedError: "Access to the webcam was refused, by you or by the program that shows this page (VS Code always refuses)",
  NotFoundError: "The browser finds no camera on this computer",
  NotReadableError: "The webcam is used by another program",
};

/** Resolves when `name` happens to `node`; an error of the node, or thirty seconds in vain, rejects with the sentence `otherwise`. */
function happens(node, name, otherwise) {
  const listening = new AbortController(); // a file has thousands of seeks, and each would leave a listener
  const { signal } = listening;
  return new Promise((resolve, reject) => {
    const fail = () => reject(new Error(otherwise));
    const timer = setTimeout(fail, 30000);
    signal.addEventListener("abort", () => clearTimeout(timer));
    node.addEventListener(name, resolve, { signal });
    node.addEventListener("error", fail, { signal });
  }).finally(() => listening.abort());
}

/** A video file waits until the next frame is asked for, unless `patient` is false; a camera never waits. */
class BrowserSource {
  constructor() {
    this.video = element("video", { playsinline: "", preload: "auto" });
    this.video.muted = true;
    this.sketch = document.createElement("canvas");
    this.live = false; // a camera
    this.opened = 0; // how often a source was opened or closed
    this.patient = true;
  }

  async openFile(file) {
    this.close();
    const refusal = `This browser cannot play ${file.name}; give its path instead, TrackerBench(video="path") in Python or ` +
      "python -m course_lib track --select --video path, which read more formats";
    this.address = URL.createObjectURL(file);
    this.video.src = this.address;
    await happens(this.video, "loadeddata", refusal);
    if (!this.video.videoWidth) throw new Error(refusal); // sound alone
    await this.rewind();
  }

  /** A video file's first frame: half a step into it, so that rounding never shows a frame twice. */
  async rewind() {
    this.hold();
    await this.seek(STEP / 2);
    this.begun = this.video.currentTime;
  }

  async openCamera() {
    this.close();
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error(`The browser gives no access to the webcam here: only pages on localhost or https get it. ${INSTEAD}`);
    }
    const mine = this.opened;
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, facingMode: "environment" } });
    } catch (problem) {
      throw new Error(`${REFUSED[problem.name] ?? problem.message}. ${INSTEAD}`);
    }
    if (mine !== this.opened) { // the user was asked, and meanwhile chose something else
      stream.getTracks().forEach((track) => track.stop());
      throw new Error("Another source was chosen.");
    }
    this.stream = stream;
    this.video.srcObject = stream;
    await this.video.play();
    this.live = true;
    this.begun = performance.now() / 1000;
  }

  close() {
    this.opened++;
    this.video.pause();
    this.stream?.getTracks().forEach((track) => track.stop()); // the camera's lamp goes out
    if (this.address) URL.revokeObjectURL(this.address);
    this.stream = this.address = null;
    this.video.srcObject = null;
    this.video.removeAttribute("src");
    this.live = false;
  }

  async seek(seconds) {
    const arrived = happens(this.video, "seeked", "the video stops here: the browser cannot go on playing it");
    this.video.currentTime = seconds;
    await arrived;
  }

  /** Go to the next frame; false at the end. */
  async advance() {
    const { video } = this;
    if (this.live || !this.patient) {
      if (video.ended) return false;
      if (video.paused) await video.play();
      // a video that ends shows no other frame
      await Promise.race([new Promise((go) => video.requestVideoFrameCallback?.(go) ?? setTimeout(go, 30)),
        new Promise((go) => setTimeout(go, 500))]);
      return !video.ended;
    }
    const before = video.currentTime;
    if (video.ended || before + STEP >= video.duration) return false;
    await this.seek(before + STEP);
    return video.currentTime > before;
  }

  /** Go to the next frame and grab it; null at the end. */
  async next() {
    return (await this.advance()) ? this.grab() : null;
  }

  /** Hold a video file that does not wait; a camera goes on. */
  hold() {
    if (!this.live) this.video.pause();
  }

  /** The frame in view: a bitmap to show, the JPEG file to send, its size, and its time in seconds. */
  async grab() {
    const { video, sketch } = this;
    const scale = Math.min(1, WIDTH / video.videoWidth);
    sketch.width = Math.max(1, Math.round(video.videoWidth * scale));
    sketch.height = Math.max(1, Math.round(video.videoHeight * scale));
    const bitmap = await createImageBitmap(video);
    sketch.getContext("2d", { willReadFrequently: true }).drawImage(bitmap, 0, 0, sketch.width, sketch.height);
    const blob = await new Promise((done) => sketch.toBlob(done, "image/jpeg", 0.9));
    const now = this.live ? performance.now() / 1000 : video.currentTime;
    return { bitmap, jpeg: await blob.arrayBuffer(), size: [sketch.width, sketch.height], seconds: now - this.begun };
  }
}
