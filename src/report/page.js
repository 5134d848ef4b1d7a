"use strict";
// Reads the values under the pointer; the charts stand without it.
(() => {
  const charts = JSON.parse(document.getElementById("hover").textContent);
  const digits = (n, d) => Number(n.toPrecision(d)).toLocaleString("en-US", { maximumFractionDigits: 6 });
  const units = {
    time: (s) => (s < 1e-3 ? digits(s * 1e6, 3) + " µs" : s < 1 ? digits(s * 1e3, 3) + " ms" : digits(s, 3) + " s"),
    rate: (n) => digits(n, 4) + "/s",
    share: (n) => digits(n * 100, 4) + " %",
    bytes: (n) => digits(n / 1048576, 4) + " MiB",
    number: (n) => digits(n, 3),
  };
  const clock = (s) => {
    const t = Math.floor(s), two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(t / 3600), minutes = Math.floor(t / 60) % 60;
    return hours ? hours + ":" + two(minutes) + ":" + two(t % 60) : minutes + ":" + two(t % 60);
  };
  const quantile = (nines) => "p" + digits(100 * (1 - Math.pow(10, -nines)), Math.max(3, 2 + Math.ceil(nines)));
  for (const figure of document.querySelectorAll("figure[data-chart]")) {
    const chart = charts[figure.dataset.chart], svg = figure.querySelector("svg");
    if (!chart || !svg || !chart.x.length) continue;
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    line.setAttribute("stroke", "#171b24");
    line.setAttribute("stroke-opacity", "0.45");
    line.setAttribute("y1", chart.top);
    line.setAttribute("y2", chart.bottom);
    const tip = document.createElement("div");
    tip.className = "tip";
    const hide = () => { line.remove(); tip.remove(); };
    figure.addEventListener("pointerleave", hide);
    figure.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
      const x = (event.clientX - box.left) * scale;
      if (x < chart.left || x > chart.right) return hide();
      const want = chart.from + ((x - chart.left) / (chart.right - chart.left)) * (chart.to - chart.from);
      let low = 0, high = chart.x.length - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (chart.x[middle] < want) low = middle + 1; else high = middle;
      }
      if (low > 0 && want - chart.x[low - 1] < chart.x[low] - want) low -= 1;
      const at = chart.left + ((chart.x[low] - chart.from) / (chart.to - chart.from)) * (chart.right - chart.left);
      line.setAttribute("x1", at);
      line.setAttribute("x2", at);
      svg.appendChild(line);
      tip.replaceChildren();
      const head = document.createElement("b");
      head.textContent = chart.time ? clock(chart.x[low]) : chart.number ? digits(chart.x[low], 3) : quantile(chart.x[low]);
      tip.appendChild(head);
      for (const one of chart.lines) {
        const failed = one.off[low], value = one.y[low];
        if (value === null && !failed) continue;
        const row = document.createElement("div"), sign = document.createElement("i");
        sign.style.background = one.colour;
        row.append(sign, one.name + "  " + (value === null ? "" : units[chart.unit](value)) + (failed ? "  ▲" : ""));
        tip.appendChild(row);
      }
      figure.appendChild(tip);
      // Of a narrow window the chart is wider than what is seen of it.
      const left = at / scale, seen = figure.scrollLeft, right = left + 14 + tip.offsetWidth > seen + figure.clientWidth;
      tip.style.left = Math.max(seen, right ? left - tip.offsetWidth - 10 : left + 12) + "px";
      tip.style.top = Math.max(0, chart.top / scale + 6) + "px";
    });
  }
})();
