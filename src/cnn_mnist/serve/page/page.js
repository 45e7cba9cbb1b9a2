// The page: a sheet to draw on, and the server's reading of it. It contacts no other host.
// From the top down: texts, the sheet, requests to the server, showing its answer, the controls.

const $ = (id) => document.getElementById(id);

// ---- texts ------------------------------------------------------------------------------------

const ENGLISH = {
  nothing: "–",
  refused: "Not a digit",
  none: "No digit here",
  spoken: (text, sure) => `Reads ${text}, ${sure} sure`,
  digit: (n, name) => `Digit ${n}: ${name}`,
  busy: "The server is busy. One moment.",
  away: "The server does not answer.",
  large: "The picture is too large.",
  foreign: "This answer is not the server's. A proxy in between may be at fault. Try again.",
  input: "Input",
  maps: (n) => (n === 1 ? "1 map" : `${n} maps`),
  units: (n) => `${n} units`,
  why: {
    Input: "The network's input: 28 × 28 pixels, the digit centred, as in MNIST.",
    Conv: "Small filters slide over the previous output. Each detects one pattern: an edge, a corner, in deeper layers a loop.",
    MaxPool: "The largest of every 2 × 2 values is kept: smaller maps, and small shifts matter less.",
    AveragePool: "The mean of every 2 × 2 values is kept: smaller maps, and small shifts matter less.",
    ReduceMax: "The largest value of each map is kept: whether the pattern was found, wherever it is.",
    ReduceMean: "The mean of each map is kept: how much of the pattern was found.",
    Relu: "Negative values become zero: only the patterns that were found are passed on.",
    BatchNormalization: "Every map is brought to the same scale, which makes training fast and steady.",
    Add: "Two outputs are added value by value: the patterns of both are kept.",
    Gemm: "A dense layer: every unit is a weighted sum of the whole previous output.",
    Logits: "One score for each class. The highest wins.",
    Softmax: "The scores become probabilities that add up to 100 %.",
    Other: "One more step of the network that is served.",
  },
};

const CHINESE = {
  nothing: "–",
  refused: "不是数字",
  none: "没有找到数字",
  spoken: (text, sure) => `识别结果：${text}，置信度 ${sure}`,
  digit: (n, name) => `第 ${n} 个数字：${name}`,
  busy: "服务器正忙，请稍候。",
  away: "服务器没有响应。",
  large: "图片太大。",
  foreign: "收到的响应不是服务器发出的，可能是中间的代理出了问题。请重试。",
  input: "输入",
  maps: (n) => `${n} 张特征图`,
  units: (n) => `${n} 个单元`,
  why: {
    Input: "网络的输入图像：28 × 28 像素，数字居中，格式与 MNIST 相同。",
    Conv: "小滤波器在前一层的输出上滑动，每个检测一种图案：先是边缘、拐角，更深的层检测圆圈。",
    MaxPool: "每 2 × 2 个值只保留最大值：特征图变小，位置略有偏移也影响不大。",
    AveragePool: "每 2 × 2 个值取平均值：特征图变小，位置略有偏移也影响不大。",
    ReduceMax: "每张特征图只保留最大值：表示是否找到这种图案，与位置无关。",
    ReduceMean: "每张特征图只保留平均值：表示这种图案有多少。",
    Relu: "负值变为零：只把找到的图案传给下一层。",
    BatchNormalization: "把每张特征图调整到相同的尺度，使训练更快、更稳定。",
    Add: "两个结果逐元素相加：两者找到的图案都会保留。",
    Gemm: "全连接层：每个单元对前一层的全部输出加权求和。",
    Logits: "每个类别对应一个分数，分数最高的就是识别结果。",
    Softmax: "把分数转换成概率，总和为 100 %。",
    Other: "当前网络的其他步骤。",
  },
  page: {
    tagline: "写一个数字，看神经网络如何逐层识别它。",
    settings: "设置", theme: "切换深浅色", draw: "书写", canvas: "书写区",
    hint: "写一个或多个数字", tools: "书写工具", pen: "笔", eraser: "橡皮", size: "粗细",
    undo: "撤销", clear: "清除", example: "示例", choose: "打开图片", file: "图片",
    keys: "也可以把图片拖放或粘贴到这里。键盘操作：方向键移动，空格键落笔或提笔。",
    answer: "识别结果", digits: "找到的数字", chances: "置信度", bars: "每个数字的概率",
    layers: "逐层观察",
    "layers-intro": "网络如何处理你写的数字，从像素到识别结果。每张小图是一个滤波器的输出，显示图案出现的位置：颜色越深，响应越强。",
    negative: "负", positive: "正", api: "HTTP 接口", metrics: "运行指标",
    private: "你写的内容只发送到这台服务器，不会保存。",
    token: "这台服务器需要访问令牌", "token-label": "访问令牌", "token-send": "确定",
    "token-open": "输入访问令牌",
  },
};

const marked = [...document.querySelectorAll("[data-text], [data-label]")];
ENGLISH.page = Object.fromEntries(marked.map((element) => [
  element.dataset.text ?? element.dataset.label,
  element.dataset.text ? element.textContent : element.getAttribute("aria-label"),
]));
let words = ENGLISH;

function speak(language) {
  words = language === "zh-CN" ? CHINESE : ENGLISH;
  document.documentElement.lang = language;
  for (const element of marked) {
    const { text, label } = element.dataset;
    if (text) element.textContent = words.page[text];
    else element.setAttribute("aria-label", words.page[label]);
  }
  const other = language === "zh-CN" ? ["English", "en"] : ["中文", "zh-CN"];
  [$("language").textContent, $("language").lang] = other;
  show();
}

const percent = (share) => (share > 0.9995 ? "100 %" : `${(share * 100).toFixed(1)} %`);

// ---- the sheet: strokes, or a picture -----------------------------------------------------------

const canvas = $("canvas");
const pen = canvas.getContext("2d");
let strokes = []; // {size, erase, points: [[x, y], ...]} in the canvas' own pixels
let picture = null; // {file, bitmap, before: the sheet that it replaced, until the server accepts it}
let erasing = false;
let cursor = null; // when drawing with the keyboard: {x, y, stroke}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function draw(stroke, to, ink) {
  const [first, ...rest] = stroke.points;
  to.lineWidth = stroke.size;
  to.lineCap = to.lineJoin = "round";
  to.strokeStyle = ink;
  to.globalCompositeOperation = stroke.erase ? "destination-out" : "source-over";
  to.beginPath();
  to.moveTo(...first);
  if (!rest.length) to.lineTo(first[0] + 0.1, first[1]);
  rest.forEach(([x, y], i) => { // curves through the midpoints, so that the samples make no corners
    const [nextX, nextY] = rest[i + 1] ?? [x, y];
    to.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  });
  to.stroke();
  to.globalCompositeOperation = "source-over";
}

function place() { // where the picture is on the canvas: as large as fits
  const { width, height } = picture.bitmap;
  const scale = Math.min(canvas.width / width, canvas.height / height);
  const [w, h] = [width * scale, height * scale];
  return { left: (canvas.width - w) / 2, top: (canvas.height - h) / 2, w, h, scale };
}

function repaint() {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (picture) {
    const { left, top, w, h } = place();
    pen.drawImage(picture.bitmap, left, top, w, h);
  }
  for (const stroke of strokes) draw(stroke, pen, colour("--stroke"));
  if (cursor) {
    pen.lineWidth = 3;
    pen.strokeStyle = colour("--accent");
    pen.beginPath();
    pen.arc(cursor.x, cursor.y, Number($("size").value) / 2 + 4, 0, 7);
    pen.stroke();
  }
  $("hint").hidden = Boolean(picture || strokes.length);
}

function changed() {
  repaint();
  ask();
}

function begin(x, y) {
  if (picture || showing) clear();
  const stroke = { size: Number($("size").value), erase: erasing, points: [[x, y]] };
  strokes.push(stroke);
  changed();
  return stroke;
}

function clear() {
  showing = false;
  strokes = [];
  picture = null;
  changed();
}

async function open(file) {
  if (!file) return;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch { // a format that the server may support and the browser does not, such as TIFF
    bitmap = await createImageBitmap(new ImageData(8, 5));
  }
  const before = picture?.before ?? { strokes, picture, showing };
  [strokes, picture, showing] = [[], { file, bitmap, before }, false];
  changed();
}

function restore() { // what a picture replaced that the server refuses
  ({ strokes, picture, showing } = picture.before);
  repaint();
}

async function sheet() { // the drawing or picture as a file: dark ink on white in both themes
  if (picture) return picture.file;
  const ink = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
  for (const stroke of strokes) draw(stroke, ink.getContext("2d"), "#000");
  return new Promise((done) => ink.toBlob(done, "image/png"));
}

// ---- requests to the server: one at a time, always for the newest drawing -----------------------

let answer = null; // the server's JSON: a reading with layers, or {error}
let chosen = 0; // the index of the digit whose bars and layers are shown
let version = 0;
let asking = false;
let retry = 0; // a timer
let tokenAsked = false; // since the last token was given

async function ask() {
  version += 1;
  if (!strokes.length && !picture) {
    answer = null;
    show();
    return;
  }
  if (asking) return;
  asking = true;
  try {
    let asked;
    do {
      asked = version;
      const result = await fetchAnswer().catch(() => null); // it is not JSON
      const known = typeof (result?.text ?? result?.error) === "string";
      if (asked === version || strokes.length || picture) answer = known ? result : { error: words.foreign };
      show();
    } while (asked !== version && (strokes.length || picture));
  } finally { // whatever failed, the next drawing is sent
    asking = false;
  }
}

async function fetchAnswer() { // the server's JSON, or {error}; throws if there is no JSON, as from a proxy
  const token = sessionStorage.getItem("token");
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const sent = picture;
  let response;
  try {
    const signal = AbortSignal.timeout(120_000);
    response = await fetch(`layers?digit=${chosen}`, { method: "POST", body: await sheet(), headers, signal });
  } catch {
    return { error: words.away };
  }
  if (response.status === 401) {
    if (!tokenAsked) $("ask").showModal();
    tokenAsked = true;
    return { error: words.page.token, locked: true };
  }
  if ([502, 503, 504].includes(response.status)) { // busy, or a proxy whose server starts again
    clearTimeout(retry);
    retry = setTimeout(ask, 1000);
    return { error: words.busy };
  }
  if (sent && response.ok) sent.before = null;
  if (sent?.before && sent === picture && [400, 413, 415].includes(response.status)) restore();
  if (response.status === 413) return { error: words.large };
  return response.json();
}

// ---- showing the answer -------------------------------------------------------------------------

const FEW = 16; // of more classes, the ten with the highest values are listed
let names = [..."0123456789"]; // of the classes
const refused = (digit) => digit.reason !== undefined;
const name = (digit) => (refused(digit) ? "?" : digit.sign ?? names[digit.class]);

function show() {
  const digits = answer?.digits ?? [];
  names = answer?.class_names ?? names;
  if (chosen >= Math.max(1, digits.length)) {
    chosen = 0;
    if (digits.length) ask();
  }
  const digit = digits[chosen];
  showText(digits);
  showBoxes(digits);
  showDigits(digits);
  showBars(digit);
  showLayers(digit);
}

let resting = 0;

function showText(digits) {
  const text = $("text");
  const read = answer?.text;
  const nothing = digits.length > 0 && !read;
  const said = answer?.error ?? (read || (nothing ? words.refused : answer ? words.none : words.nothing));
  $("unlock").hidden = !answer?.locked;
  text.classList.toggle("words", Boolean(answer) && !read);
  text.classList.toggle("long", names.some((each) => [...each].length > 1));
  text.classList.toggle("refused", nothing || Boolean(answer?.error));
  if (text.textContent !== said) text.textContent = said;
  // a screen reader announces the answer when the drawing is finished, not every change
  clearTimeout(resting);
  const sure = read && percent(Math.min(...digits.filter((digit) => digit.class !== null).map((digit) => digit.probability)));
  resting = setTimeout(() => { $("spoken").textContent = read ? words.spoken(read, sure) : said; }, 700);
}

function showBoxes(digits) {
  const [left, top, scale] = picture ? [place().left, place().top, place().scale] : [0, 0, 1];
  fill($("boxes"), digits.length, () => {
    const box = document.createElement("i");
    box.append(document.createElement("b"));
    return box;
  }, (box, i) => {
    const [x0, y0, x1, y1] = digits[i].box;
    const share = (value, whole) => `${(100 * value) / whole}%`;
    box.style.left = share(left + x0 * scale, canvas.width);
    box.style.top = share(top + y0 * scale, canvas.height);
    box.style.width = share((x1 - x0) * scale, canvas.width);
    box.style.height = share((y1 - y0) * scale, canvas.height);
    box.classList.toggle("refused", refused(digits[i]));
    box.firstChild.textContent = name(digits[i]);
  });
}

function showDigits(digits) {
  fill($("digits"), digits.length, (i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(document.createElement("canvas"), document.createElement("span"));
    button.addEventListener("click", () => { chosen = i; ask(); });
    return button;
  }, (button, i) => {
    button.setAttribute("aria-pressed", String(i === chosen));
    button.setAttribute("aria-label", words.digit(i + 1, name(digits[i])));
    button.lastChild.textContent = name(digits[i]);
    paint(button.firstChild, imageShape(digits[i].image), decode(digits[i].image), 0, 1);
  });
}

function showBars(digit) {
  const listed = indices(digit?.probabilities ?? names.map(() => 0));
  widen($("bars"), names);
  fill($("bars"), listed.length, row, (item, place) => {
    const i = listed[place];
    const share = digit?.probabilities[i] ?? 0;
    setRow(item, names[i], share, false, digit ? percent(share) : "");
    item.classList.toggle("best", Boolean(digit) && digit.class === i);
  });
}

function indices(values) { // of the values that are listed: all, or the ten highest
  const all = Array.from(values, (_, i) => i);
  return all.length <= FEW ? all : all.sort((a, b) => values[b] - values[a]).slice(0, 10);
}

function widen(list, labels) { // make room for the longest label
  const longest = Math.max(...labels.map((label) => [...label].length));
  list.style.setProperty("--label", longest > 1 ? `${0.62 * Math.min(longest, 12)}em` : "0em");
}

const inputLayer = (image) => (
  { name: words.input, kind: "Input", shape: imageShape(image), low: 0, high: 1, values: image });

function showLayers(digit) {
  const layers = digit && answer.layers.length ? [inputLayer(digit.image), ...answer.layers] : [];
  const last = layers.findLastIndex(({ kind }) => ["Gemm", "MatMul"].includes(kind));
  $("layers").parentElement.hidden = !layers.length;
  fill($("layers"), layers.length, () => {
    const card = document.createElement("li");
    card.className = "card";
    card.innerHTML = "<header><h3></h3><code></code></header><p></p>";
    return card;
  }, (card, i) => {
    const { name: title, kind, shape, low, high, values } = layers[i];
    const classes = i >= last && shape.length === 1 && shape[0] === names.length;
    const few = classes || (shape.length === 1 && shape[0] <= FEW);
    const known = classes && kind === "Gemm" ? "Logits" : kind === "MatMul" ? "Gemm" : kind;
    card.classList.toggle("seen", kind === "Input");
    card.querySelector("h3").textContent = title;
    card.querySelector("code").textContent = shape.length === 1
      ? words.units(shape[0]) : `${words.maps(shape[0])} · ${shape[1]} × ${shape[2]}`;
    card.querySelector("p").textContent = words.why[known] ?? words.why.Other;
    let picture = card.children[2];
    if (picture?.tagName !== (few ? "OL" : "CANVAS")) {
      picture?.remove();
      picture = card.appendChild(document.createElement(few ? "ol" : "canvas"));
      if (few) picture.className = "units";
    }
    if (few) showUnits(picture, decode(values), low, high, classes ? names : null);
    else paint(picture, shape, decode(values), low, high);
  });
}

function showUnits(list, levels, low, high, labels) {
  const largest = Math.max(Math.abs(low), Math.abs(high), 1e-9);
  const listed = indices(levels);
  labels ??= Array.from(levels, (_, i) => String(i));
  widen(list, labels);
  fill(list, listed.length, row, (item, place) => {
    const i = listed[place];
    const value = low + (levels[i] / 255) * (high - low);
    setRow(item, labels[i], Math.abs(value) / largest, value < 0, value.toFixed(largest > 1 ? 1 : 2));
  });
}

function row() {
  const item = document.createElement("li");
  item.innerHTML = '<span></span><span class="track"><i></i></span><output></output>';
  return item;
}

function setRow(item, label, share, negative, text) {
  const [first, track, last] = item.children;
  first.textContent = first.title = label;
  track.firstChild.style.width = `${100 * share}%`;
  track.firstChild.classList.toggle("negative", negative);
  last.textContent = text;
}

function fill(parent, count, make, set) { // add or remove children until there are `count`; existing ones stay
  while (parent.children.length > count) parent.lastElementChild.remove();
  while (parent.children.length < count) parent.append(make(parent.children.length));
  [...parent.children].forEach(set);
}

const decode = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

function imageShape(base64) { // of a digit's image, which is square
  const side = Math.sqrt(decode(base64).length);
  return [1, side, side];
}

const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

function paint(target, shape, levels, low, high) { // maps side by side; units as dots, twice as wide as high
  const [maps, height, width] = shape.length === 3 ? shape : [shape[0], 1, 1];
  const columns = shape.length === 1
    ? 2 * Math.ceil(Math.sqrt(maps)) : Math.min(maps, maps > 48 ? 16 : 8);
  const gap = maps === 1 ? 0 : 1;
  const rows = Math.ceil(maps / columns);
  target.width = columns * (width + gap) - gap;
  target.height = rows * (height + gap) - gap;
  const [paper, pro, contra] = ["--card", "--accent", "--against"].map((name) => rgb(colour(name)));
  const largest = Math.max(Math.abs(low), Math.abs(high), 1e-9);
  const shades = Array.from({ length: 256 }, (_, level) => {
    const value = (low + (level / 255) * (high - low)) / largest;
    const [to, share] = [value < 0 ? contra : pro, Math.abs(value) ** 0.8];
    return paper.map((from, c) => from + (to[c] - from) * share);
  });
  const image = new ImageData(target.width, target.height);
  for (let at = 0; at < levels.length; at += 1) {
    const map = Math.floor(at / (width * height));
    const x = (map % columns) * (width + gap) + (at % width);
    const y = Math.floor(map / columns) * (height + gap) + (Math.floor(at / width) % height);
    image.data.set([...shades[levels[at]], 255], 4 * (y * target.width + x));
  }
  target.getContext("2d").putImageData(image, 0, 0);
}

// ---- the controls -------------------------------------------------------------------------------

function choose(eraser) {
  erasing = eraser;
  $("pen").setAttribute("aria-pressed", String(!eraser));
  $("eraser").setAttribute("aria-pressed", String(eraser));
}

function undo() {
  if (picture) clear();
  strokes.pop();
  changed();
}

function at(event) {
  const place = canvas.getBoundingClientRect();
  const scale = canvas.width / place.width;
  return [(event.clientX - place.left) * scale, (event.clientY - place.top) * scale];
}

let stroke = null; // the one that the pointer is drawing
canvas.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  canvas.setPointerCapture(event.pointerId);
  cursor = null;
  stroke = begin(...at(event));
});
canvas.addEventListener("pointermove", (event) => {
  if (!stroke) return;
  const events = event.getCoalescedEvents?.() ?? [];
  stroke.points.push(...(events.length ? events : [event]).map(at));
  changed();
});
for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { stroke = null; });

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
canvas.addEventListener("keydown", (event) => {
  cursor ??= { x: canvas.width / 2, y: canvas.height / 2, stroke: null };
  if (event.key === " ") cursor.stroke = cursor.stroke ? null : begin(cursor.x, cursor.y);
  else if (STEPS[event.key]) {
    const [x, y] = STEPS[event.key];
    cursor.x = Math.min(canvas.width, Math.max(0, cursor.x + 20 * x));
    cursor.y = Math.min(canvas.height, Math.max(0, cursor.y + 20 * y));
    cursor.stroke?.points.push([cursor.x, cursor.y]);
  } else return;
  event.preventDefault();
  if (cursor.stroke) changed();
  else repaint();
});
canvas.addEventListener("blur", () => { cursor = null; repaint(); });
addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "z") undo();
});

$("pen").onclick = () => choose(false);
$("eraser").onclick = () => choose(true);
$("undo").onclick = undo;
$("clear").onclick = clear;
$("choose").onclick = () => $("file").click();
$("file").onchange = () => { open($("file").files[0]); $("file").value = ""; };
addEventListener("paste", (event) => open(event.clipboardData.files[0]));
addEventListener("dragover", (event) => { event.preventDefault(); $("sheet").classList.add("target"); });
addEventListener("dragleave", () => $("sheet").classList.remove("target"));
addEventListener("drop", (event) => {
  event.preventDefault();
  $("sheet").classList.remove("target");
  open(event.dataTransfer.files[0]);
});
$("unlock").onclick = () => $("ask").showModal();
$("ask").querySelector("form").onsubmit = () => {
  sessionStorage.setItem("token", $("token").value);
  tokenAsked = false;
  ask();
};

// An example is drawn when the page opens, so that there is something to see at once.
const arc = (x, y, rx, ry, from, to) => Array.from({ length: 17 }, (_, i) => {
  const angle = from + ((to - from) * i) / 16;
  return [x + rx * Math.cos(angle), y + ry * Math.sin(angle)];
});
const EXAMPLES = [
  [[...arc(470, 200, 95, 85, -2.6, 1.5), ...arc(470, 395, 112, 110, -1.5, 2.6)]],
  [[[300, 130], [250, 330], [430, 330]], [[385, 180], [380, 480]],
    [...arc(630, 220, 95, 90, -2.9, 0.7), [560, 450], [570, 462], [740, 455]]],
  [[[250, 150], [410, 145], [320, 460]], [...arc(620, 390, 85, 85, -2.6, 3.6), [530, 330], [600, 140]]],
];
let examples = 0;
let showing = false; // whether an example is shown, which the first stroke replaces

async function example() {
  clear();
  const mine = strokes;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  showing = true;
  for (const path of EXAMPLES[examples++ % EXAMPLES.length]) {
    const line = { size: 30, erase: false, points: [path[0]] };
    mine.push(line);
    for (const point of path.slice(1)) {
      line.points.push(point);
      if (still) continue;
      changed();
      await new Promise(requestAnimationFrame);
      if (strokes !== mine) return;
    }
  }
  changed();
}
$("example").onclick = example;

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  repaint();
  show();
}
$("theme").onclick = () => {
  setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  localStorage.setItem("theme", document.documentElement.dataset.theme);
};
$("language").onclick = () => {
  speak($("language").lang);
  localStorage.setItem("language", document.documentElement.lang);
};
setTheme(localStorage.getItem("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
speak(localStorage.getItem("language") ?? (navigator.language.startsWith("zh") ? "zh-CN" : "en"));
example();
