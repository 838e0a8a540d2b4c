// Widgets without a kernel: what they show at each place of their controls stands in the
// page (see nbs/engine/92_show). Pictures that enlarge when they are clicked. And what the
// theme leaves out for those who do not see the page, or have no mouse.
"use strict";
const SVG = "http://www.w3.org/2000/svg";
const controls = box => [...box.querySelectorAll("input, select")];
const short = x => Number(x.toPrecision(4)).toString();

function element(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

// 05c: softmax and sigmoid of five activations
function softmax(box) {
  const sliders = controls(box), rows = [...box.querySelectorAll("tr")].slice(1);
  const show = (row, at, share) => {
    row.cells[at].querySelector(":scope > div > div").style.width = `${100*share}%`;
    row.cells[at+1].textContent = share.toFixed(3);
  };
  for (const button of box.querySelectorAll("button")) {
    const by = button.textContent.includes("+") ? 1 : -1;
    button.addEventListener("click", () => {
      const moved = sliders.map(slider => Number(slider.value)+by);
      if (moved.some(value => Math.abs(value) > 10)) return;   // not all could move
      sliders.forEach((slider, i) => { slider.value = moved[i]; });
      draw();
    });
  }
  function draw() {
    const x = sliders.map(slider => Number(slider.value));
    const exps = x.map(v => Math.exp(v-Math.max(...x)));
    const sum = exps.reduce((a, b) => a+b);
    rows.forEach((row, i) => {
      row.cells[1].textContent = (x[i] < 0 ? "" : "+")+x[i].toFixed(1);
      sliders[i].nextElementSibling.textContent = short(x[i]);
      show(row, 2, exps[i]/sum);
      show(row, 4, 1/(1+Math.exp(-x[i])));
    });
  }
  return draw;
}

// 06b: the histogram of one layer at one batch
function hist(box, states) {
  const [layer, batch, log] = controls(box), names = Object.keys(states.layers);
  const svg = box.querySelector("svg"), bars = [...svg.querySelectorAll("g rect")];
  const [title, scale] = svg.querySelectorAll("text");
  return () => {
    const {counts, numbers} = states.layers[names[layer.selectedIndex]];
    batch.max = (counts.length-1)*states.every;
    const i = Math.floor(batch.value/states.every), [mean, std, near] = numbers[i];
    const heights = counts[i].map(n => log.checked ? Math.log1p(n) : n);
    const most = Math.max(...heights) || 1;
    const words = `layer ${names[layer.selectedIndex]}, batch ${i*states.every}: `
      + `mean ${mean.toFixed(3)}, std ${std.toFixed(3)}, `
      + `near zero ${(100*near).toFixed(1)}%`;
    title.textContent = words;
    svg.setAttribute("aria-label", words);
    scale.textContent = `bars: ${log.checked ? "log(1 + count)" : "count"}, `
      + `the highest is ${Math.max(...counts[i]).toLocaleString("en")}`;
    batch.nextElementSibling.textContent = i*states.every;
    const width = (states.high-states.low)/bars.length;
    bars.forEach((bar, k) => {
      bar.setAttribute("y", 190-150*heights[k]/most);
      bar.setAttribute("height", 150*heights[k]/most);
      const low = states.low+k*width;
      bar.querySelector("title").textContent = `${low.toFixed(2)} to `
        + `${(low+width).toFixed(2)}: ${counts[i][k].toLocaleString("en")}`;
    });
  };
}

// two axes of a drawing, 440 wide and 264 high
function panel(drawing, [right, down], title, below, xs, ys, log) {
  const svg = element("g", {transform: `translate(${right} ${down})`});
  drawing.append(svg);
  const place = log ? Math.log10 : x => x, [x0, x1] = xs.map(place), [y0, y1] = ys;
  const x = v => 50+370*(place(v)-x0)/(x1-x0);
  const y = v => 30+190*(1-(Math.min(Math.max(v, y0), y1)-y0)/(y1-y0));
  const text = (at, down, words, anchor = "middle") => svg.append(
    element("text", {x: at, y: down, "text-anchor": anchor}, words));
  svg.append(element("path", {d: `M50 30V220H420`, fill: "none",
                              stroke: "black"}));
  text(235, 18, title);
  text(235, 256, below);
  for (let k = 0; k <= 4; k += 1) {
    const v = y0+k*(y1-y0)/4;
    text(45, y(v)+4, short(Number(v.toPrecision(2))), "end");
  }
  const step = log ? 1 : (x1-x0)/Math.min(x1-x0, 9);
  for (let v = Math.ceil(x0); v <= x1; v += step) {
    text(x(log ? 10**v : v), 236, log ? `1e${v}` : short(v));
  }
  return {x, y, line: (points, style) => svg.append(element("polyline", {
    points: points.map(([a, b]) => `${x(a)},${y(b)}`).join(" "), fill: "none",
    ...style}))};
}

// 05f: the finder's curve, and a few batches at one rate
function rates(box, states) {
  const [slider] = controls(box), output = slider.nextElementSibling;
  return () => {
    const i = Math.round((Number(slider.value)+6)*10), rate = states.rates[i];
    const losses = states.at[i];
    output.textContent = rate.toPrecision(2);
    const narrow = box.clientWidth < 600;      // there one panel stands below the other
    const [width, height] = narrow ? [440, 528] : [880, 264];
    const svg = element("svg", {viewBox: `0 0 ${width} ${height}`, width, height,
      "font-size": 12, "font-family": "sans-serif", role: "img", "aria-label":
      `At a rate of ${rate.toPrecision(2)} the losses of ${losses.length} batches are `
      + losses.map(short).join(", ")});
    svg.append(element("rect", {width, height, fill: "white"}));
    const {lrs, smoothed} = states, start = Math.max(...states.losses.slice(0, 5));
    const low = Math.min(...states.losses), high = start+(start-low)/2;
    const search = panel(svg, [0, 0], "Learning-rate finder", "learning rate (log scale)",
                         [1e-6, 10], [low-(start-low)/10, high], true);
    const ends = [low-(start-low)/10, high];
    search.line(ends.map(v => [rate, v]), {stroke: "#9467bd", "stroke-width": 5,
                                           "stroke-opacity": 0.4});
    search.line(lrs.map((lr, k) => [lr, states.losses[k]]),
                {stroke: "#1f77b4", "stroke-opacity": 0.5});
    search.line(lrs.map((lr, k) => [lr, smoothed[k]]), {stroke: "#ff7f0e",
                                                        "stroke-width": 2});
    if (states.suggestion) search.line(ends.map(v => [states.suggestion, v]),
                                       {stroke: "black", "stroke-dasharray": "5 3"});
    const top = Math.max(2*losses[0], 1.1*Math.max(...losses));
    const here = panel(svg, narrow ? [0, 264] : [440, 0], `${losses.length} batches at a rate of `
      + `${rate.toPrecision(2)}`, "batch", [1, losses.length], [0, top], false);
    here.line(losses.map((loss, k) => [k+1, loss]), {stroke: "#9467bd",
                                                     "stroke-width": 2});
    box.querySelector("img, svg").replaceWith(svg);
  };
}

for (const script of document.querySelectorAll(".widget-static .states")) {
  const states = JSON.parse(script.textContent), box = script.parentElement;
  const draw = {softmax, hist, rates}[states.kind](box, states);
  for (const control of box.querySelectorAll("input, select, button")) {
    control.disabled = false;
    if (control.matches("input, select")) control.addEventListener("input", draw);
  }
  box.classList.add("alive");
  box.querySelector("small").textContent = {
    softmax: "Move the sliders: this page computes.",
    hist: "Move the controls: the page holds the histograms of the run.",
    rates: "Move the slider: the page holds the losses of the run at every rate.",
  }[states.kind];
}

// a picture in its own size; the link leads to it without this script too
document.addEventListener("click", event => {
  const link = event.target.closest("a.enlarge");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const dialog = document.createElement("dialog"), small = link.querySelector("img");
  dialog.className = "enlarged";
  dialog.setAttribute("aria-label", "The picture, enlarged");
  const picture = Object.assign(document.createElement("img"),
                                {src: link.href, alt: small.alt});
  const size = Math.max(small.naturalWidth, 2*small.clientWidth);
  picture.style.width = `max(90vw, ${size}px)`;
  const close = Object.assign(document.createElement("button"), {textContent: "Close"});
  dialog.append(close, picture);
  dialog.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => { dialog.remove(); link.focus(); });
  document.body.append(dialog);
  dialog.showModal();
});

// the theme makes these after the page has come, and gives them no name
function mend() {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  document.querySelectorAll(".md-code__nav").forEach((nav, i) => {
    nav.setAttribute("aria-label", `Code ${i+1}`);
  });
  for (const box of document.querySelectorAll(
    ".md-typeset__scrollwrap, .prose mjx-container, pre, .prose table, .prose details")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
}
let asked = false;
function soon() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; mend(); });
}
new MutationObserver(soon).observe(document.body, {childList: true, subtree: true});
addEventListener("resize", soon);
mend();
