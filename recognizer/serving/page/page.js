"use strict";

const element = (id) => document.getElementById(id);
const MAX_WAITING_SECONDS = 30;  // of audio that the server has not taken yet

let words = [];  // of the transcript: {word, start, end, confidence}
let duration = 0;  // seconds of its recording
let paragraphs = [];  // the same, utterance by utterance or segment by segment
let token = sessionStorage.getItem("token") || "";
let live = null;  // what runs while the microphone is on
let upload = null;  // the request of an upload
let stopAt = null;  // seconds of the recording at which the player stops

function show(id, visible) {
  element(id).hidden = !visible;
}

function showStatus(status, error = "") {
  element("status").textContent = status;
  element("error").textContent = error;
}

function authorization() {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

function messageOf(body, status) {
  return (body && body.error && body.error.message) || `the server answered ${status}`;
}

async function loadModel() {
  try {
    const answer = await fetch("/v1/models", { headers: authorization() });
    const body = await answer.json();
    show("token-form", answer.status === 401);
    if (!answer.ok) {
      showStatus("", token ? messageOf(body, answer.status) : "");
      return;
    }
    showStatus("");
    const model = body.data[0];
    element("model").textContent = `Model ${model.id}, language ${model.language}`;
    element("file").dataset.maxBytes = model.max_upload_bytes;
  } catch {
    showStatus("", "the server does not answer");
  }
}

// The transcript

function clear() {
  words = [];
  paragraphs = [];
  element("transcript").replaceChildren();
  element("partial").textContent = "";
  show("downloads", false);
  const player = element("player");
  show("player", false);
  player.removeAttribute("src");
  player.load();
}

function append(found) {
  if (!found.length) return;
  const paragraph = document.createElement("p");
  for (const word of found) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = word.confidence < 0.5 ? "word doubtful" : "word";
    button.style.setProperty("--confidence", word.confidence);
    button.tabIndex = words.length ? -1 : 0;  // the arrow keys go on from the first word
    button.textContent = word.word;
    button.title = `${word.start.toFixed(2)} s, ${Math.round(100 * word.confidence)} % sure`;
    button.dataset.index = words.length;
    words.push(word);
    paragraph.append(button, " ");
  }
  paragraphs.push(found);
  element("transcript").append(paragraph);
}

function finishTranscript(recording, seconds) {
  duration = seconds;
  show("downloads", words.length > 0);
  if (recording) {
    const player = element("player");
    if (player.src) URL.revokeObjectURL(player.src);
    player.src = URL.createObjectURL(recording);
    show("player", true);
  }
  if (!words.length) showStatus("No words were recognised.");
}

function playWord(word) {
  const player = element("player");
  if (!player.src) return;
  player.currentTime = word.start;
  stopAt = word.end;
  player.play();
}

element("player").addEventListener("timeupdate", () => {
  const player = element("player");
  if (stopAt !== null && player.currentTime >= stopAt) {
    player.pause();
    stopAt = null;
  }
  const now = player.currentTime;
  for (const button of element("transcript").querySelectorAll(".word")) {
    const { start, end } = words[button.dataset.index];
    button.classList.toggle("heard", !player.paused && start <= now && now < end);
  }
});

element("transcript").addEventListener("click", (event) => {
  const button = event.target.closest(".word");
  if (button) playWord(words[button.dataset.index]);
});

element("transcript").addEventListener("keydown", (event) => {
  const button = event.target.closest(".word");
  if (!button) return;
  const all = [...element("transcript").querySelectorAll(".word")];
  const at = all.indexOf(button);
  const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (next === undefined || !all[next]) return;
  event.preventDefault();
  button.tabIndex = -1;
  all[next].tabIndex = 0;
  all[next].focus();
});

element("downloads").addEventListener("click", async (event) => {
  const format = event.target.dataset.format;
  if (!format) return;
  let content;
  if (format === "txt") {
    content = paragraphs.map((one) => one.map(({ word }) => word).join(" ") + "\n").join("");
  } else {
    const answer = await fetch("/v1/subtitles", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...authorization() },
      body: JSON.stringify({ format, words, duration }),
    });
    if (!answer.ok) {
      showStatus("", messageOf(await answer.json(), answer.status));
      return;
    }
    content = await answer.text();
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "text/plain" }));
  link.download = `transcript.${format}`;
  link.click();
  URL.revokeObjectURL(link.href);
});

// Recordings

element("file").addEventListener("change", () => {
  const [file] = element("file").files;
  if (!file) return;
  element("file").value = "";  // so that the same file can be chosen again
  const most = Number(element("file").dataset.maxBytes);
  if (most && file.size > most) {
    showStatus("", `expected a recording of at most ${most} bytes, found ${file.size}`);
    return;
  }
  transcribe(file);
});

function transcribe(file) {
  clear();
  const form = new FormData();
  form.append("file", file);
  form.append("response_format", "verbose_json");
  form.append("timestamp_granularities[]", "word");
  form.append("timestamp_granularities[]", "segment");
  const request = new XMLHttpRequest();  // fetch does not tell how much was sent
  upload = request;
  busy(true);
  progress("Uploading", 0);
  request.upload.onprogress = ({ loaded, total }) => progress("Uploading", loaded / total);
  request.upload.onload = () => progress("Recognising", null);
  request.onload = () => {
    const body = request.response;
    if (request.status === 200 && body) {
      showStatus("");
      let at = 0;
      for (const segment of body.segments) {
        const begin = at;
        while (at < body.words.length && body.words[at].start < segment.end) at++;
        append(body.words.slice(begin, at));
      }
      append(body.words.slice(at));
      finishTranscript(file, body.duration);
    } else {
      showStatus("", messageOf(body, request.status));
      if (request.status === 401) show("token-form", true);
    }
  };
  request.onerror = () => showStatus("", "the connection was lost");
  request.onabort = () => showStatus("Cancelled.");
  request.onloadend = () => {
    upload = null;
    busy(false);
    show("progress", false);
    show("progress-label", false);
  };
  request.open("POST", "/v1/audio/transcriptions");
  request.responseType = "json";
  for (const [name, value] of Object.entries(authorization())) {
    request.setRequestHeader(name, value);
  }
  showStatus("");
  request.send(form);
}

function progress(label, fraction) {
  element("progress-label").textContent = label;
  if (fraction === null) element("progress").removeAttribute("value");
  else element("progress").value = fraction;
  show("progress", true);
  show("progress-label", true);
}

function busy(uploading) {
  element("speak").disabled = uploading;
  element("file").disabled = uploading || live !== null;
  show("cancel", uploading);
}

element("cancel").addEventListener("click", () => upload && upload.abort());

// The microphone

function base64url(text) {
  const binary = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

async function start() {
  if (!navigator.mediaDevices) {
    showStatus("", "browsers give the microphone to encrypted pages and to those of this machine only");
    return;
  }
  clear();
  showStatus("");
  const session = { chunks: [], ended: false };
  live = session;
  element("file").disabled = true;
  pressed(true);
  try {
    session.media = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false },
    });
    session.context = new AudioContext();
    await session.context.audioWorklet.addModule("/page/capture.js");
    session.socket = await connected(session);
    session.socket.send(
      JSON.stringify({ config: { sample_rate: session.context.sampleRate, words: true } }),
    );
  } catch (error) {
    end(session, error.message || String(error));
    return;
  }
  if (live !== session) return;  // stopped meanwhile
  const { context, socket } = session;
  session.capture = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0 });
  session.capture.port.onmessage = ({ data }) => {
    if (session.ended) return;
    if (data === null) {
      socket.send('{"eof" : 1}');
      return;
    }
    session.chunks.push(data);
    socket.send(data);
    if (socket.bufferedAmount > MAX_WAITING_SECONDS * 2 * context.sampleRate) {
      end(session, "the server does not keep up");
    }
  };
  context.createMediaStreamSource(session.media).connect(session.capture);
  showStatus("Listening.");
}

function connected(session) {
  const protocols = token ? ["recognizer", `bearer.${base64url(token)}`] : ["recognizer"];
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/`, protocols);
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve(socket);
    socket.onmessage = ({ data }) => received(session, JSON.parse(data));
    socket.onclose = ({ code, reason }) => {
      const fine = code === 1000 || session.ended;
      const why = reason || "the server refused or closed the connection";
      reject(new Error(why));
      end(session, fine ? "" : why);
    };
  });
}

function received(session, body) {
  if (session.ended) return;
  if (body.error) {
    end(session, body.error.message);
  } else if (body.partial !== undefined) {
    element("partial").textContent = body.partial;
  } else {
    element("partial").textContent = "";
    append((body.result || []).map(({ conf, ...word }) => ({ ...word, confidence: conf })));
  }
}

function stop() {
  if (!live) return;
  if (live.capture) {
    showStatus("Finishing.");
    live.capture.port.postMessage("stop");  // its last samples, then the last words
  } else {
    end(live, "");
  }
}

function end(session, error) {
  if (session.ended) return;
  session.ended = true;
  if (session.media) session.media.getTracks().forEach((track) => track.stop());
  if (session.socket) session.socket.close();
  const rate = session.context ? session.context.sampleRate : 0;
  if (session.context) session.context.close();
  if (live === session) live = null;
  element("partial").textContent = "";
  element("file").disabled = false;
  pressed(false);
  showStatus("");
  const samples = session.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  finishTranscript(samples ? wav(session.chunks, rate) : null, rate ? samples / rate : 0);
  if (error) showStatus("", error);
}

function pressed(on) {
  element("speak").setAttribute("aria-pressed", String(on));
  element("speak").textContent = on ? "Stop the microphone" : "Start the microphone";
}

function wav(chunks, rate) {
  const size = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  const header = new DataView(new ArrayBuffer(44));
  const text = (at, value) => [...value].forEach((c, i) => header.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  header.setUint32(4, 36 + size, true);
  text(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true);  // PCM
  header.setUint16(22, 1, true);  // channels
  header.setUint32(24, rate, true);
  header.setUint32(28, 2 * rate, true);
  header.setUint16(32, 2, true);
  header.setUint16(34, 16, true);
  text(36, "data");
  header.setUint32(40, size, true);
  return new Blob([header, ...chunks], { type: "audio/wav" });
}

element("speak").addEventListener("click", () => (live ? stop() : start()));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") stop();
});
element("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = element("token").value;
  sessionStorage.setItem("token", token);
  loadModel();
});
loadModel();
