/**
 * The script of a report, which stands inside it and so is no module: unpacks plotly.js and the values, draws a chart when
 * it is seen, zooms all of them together, and follows the theme. The report's policy lets nothing be fetched.
 */

(async () => {
  const NUM_COLOURS = 8;
  const DASHES = ["solid", "dash", "dot", "dashdot"];
  const byId = (id) => document.getElementById(id);
  const drawn = new Map();
  let range = null;

  async function unpacked(id) {
    const bytes = Uint8Array.from(atob(byId(id).textContent), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  }

  /** Plotly reads some markup in names; in a report every name is text. */
  const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

  function themeOf() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(name).trim();
    const series = Array.from({ length: NUM_COLOURS }, (_, at) => read(`--series-${at + 1}`));
    const [text, muted, grid] = ["--text", "--text-2", "--chart-grid"].map(read);
    const [hover, attention] = ["--chart-hover", "--attention"].map(read);
    return { text, muted, grid, hover, attention, series };
  }

  /** A run has its colour on every chart; the lines of a single run have one each. */
  function styleOf(line, at, chart, theme) {
    const place = chart.lines.every(({ run }) => run === chart.lines[0].run) ? at : line.run;
    const dash = DASHES[Math.floor(place / NUM_COLOURS) % DASHES.length];
    return { color: theme.series[place % NUM_COLOURS], width: 1.5, dash };
  }

  function tracesOf(chart, theme) {
    return chart.lines.map((line, at) => ({
      x: line.x,
      y: line.y,
      name: plain(line.label),
      mode: line.has_few ? "lines+markers" : "lines",
      line: styleOf(line, at, chart, theme),
      marker: { size: 5 },
      connectgaps: false,
      hovertemplate: "%{y:.4~g}",
    }));
  }

  function layoutOf(chart, theme, starts) {
    const axis = { gridcolor: theme.grid, zeroline: false, color: theme.muted, tickfont: { size: 11 } };
    const marks = starts.length === 1 ? starts[0].steps : [];
    return {
      margin: { l: 56, r: 12, t: 12, b: 36 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: theme.text, size: 12 },
      showlegend: chart.lines.length > 1,
      legend: { orientation: "h", y: -0.15, font: { size: 11 } },
      hovermode: "x unified",
      hoverlabel: { bgcolor: theme.hover, bordercolor: theme.grid, font: { color: theme.text, size: 12 } },
      xaxis: {
        ...axis, ...(range ? { range: [...range] } : { autorange: true }), hoverformat: ",d",
        unifiedhovertitle: { text: "step %{x}" },
      },
      yaxis: { ...axis, exponentformat: "SI", type: chart.isLog ? "log" : "linear" },
      shapes: marks.map((step) => ({
        type: "line", x0: step, x1: step, yref: "paper", y0: 0, y1: 1, line: { color: theme.attention, width: 1, dash: "dot" },
      })),
    };
  }

  function draw(place, chart, starts) {
    const theme = themeOf();
    const log = {
      name: "log", title: "Logarithmic axis", icon: Plotly.Icons.autoscale,
      click: () => {
        chart.isLog = !chart.isLog;
        draw(place, chart, starts);
      },
    };
    const config = {
      responsive: true, displaylogo: false, displayModeBar: "hover",
      modeBarButtons: [[log, "zoom2d", "pan2d", "resetScale2d", "toImage"]],
    };
    Plotly.react(place, tracesOf(chart, theme), layoutOf(chart, theme, starts), config);
    if (drawn.has(place)) return;
    drawn.set(place, () => draw(place, chart, starts));
    place.on("plotly_relayout", (change) => follow(place, change));
  }

  /** A zoom of one chart is that of all. */
  function follow(from, change) {
    const isReset = change["xaxis.autorange"] === true;
    if (!isReset && change["xaxis.range[0]"] === undefined) return;
    range = isReset ? null : [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    for (const [place, redraw] of drawn) if (place !== from) redraw();
  }

  function placesOf(charts) {
    const groups = new Map();
    return charts.map((chart) => {
      if (!groups.has(chart.group)) {
        const title = document.createElement("h3");
        title.textContent = chart.group[0].toUpperCase() + chart.group.slice(1);
        const grid = document.createElement("div");
        grid.className = "plots";
        byId("plots").append(title, grid);
        groups.set(chart.group, grid);
      }
      const figure = document.createElement("div");
      figure.className = "plot";
      const head = document.createElement("h4");
      const unit = document.createElement("span");
      unit.textContent = chart.unit ? ` ${chart.unit}` : "";
      head.append(chart.title, unit);
      const place = document.createElement("div");
      figure.append(head, place);
      groups.get(chart.group).append(figure);
      return place;
    });
  }

  function showTimes() {
    for (const element of document.querySelectorAll("time[data-clock]")) {
      const at = new Date(Number(element.dataset.clock) * 1000);
      element.textContent = new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19).replace("T", " ");
    }
  }

  function showSwatches() {
    const { series } = themeOf();
    for (const swatch of document.querySelectorAll(".swatch")) {
      swatch.style.background = series[Number(swatch.dataset.run) % NUM_COLOURS];
    }
  }

  showTimes();
  showSwatches();
  try {
    const script = document.createElement("script");
    script.textContent = await unpacked("plotly");
    document.head.append(script);
    const { charts, starts } = JSON.parse(await unpacked("values"));
    byId("charts-note").textContent = charts.length ? "" : "No points yet.";
    const places = placesOf(charts);
    const seen = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        seen.unobserve(target);
        draw(target, charts[places.indexOf(target)], starts);
      }
    }, { rootMargin: "300px" });
    for (const place of places) seen.observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      showSwatches();
      for (const redraw of drawn.values()) redraw();
    });
  } catch (error) {
    byId("charts-note").textContent = `The charts cannot be shown here: ${error.message}. They need a browser of 2023 or later.`;
  }
})();
