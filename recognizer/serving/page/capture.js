"use strict";

// Runs on the audio thread: gives the first channel as 16-bit samples, a tenth of a second at a time.
class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Int16Array(Math.round(sampleRate / 10));
    this.filled = 0;
    this.running = true;
    this.port.onmessage = () => {
      this.flush();
      this.running = false;
      this.port.postMessage(null);  // nothing comes after this
    };
  }

  flush() {
    if (this.filled === 0) return;
    const samples = this.block.slice(0, this.filled);
    this.port.postMessage(samples, [samples.buffer]);
    this.filled = 0;
  }

  process(inputs) {
    const channel = inputs[0][0];
    if (!channel || !this.running) return this.running;
    for (const value of channel) {
      this.block[this.filled++] = Math.round(Math.max(-1, Math.min(1, value)) * 32767);
      if (this.filled === this.block.length) this.flush();
    }
    return true;
  }
}

registerProcessor("capture", Capture);
