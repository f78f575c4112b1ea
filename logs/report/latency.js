// Latency over time: the least, the median and the greatest of each stretch, and what a run made of it.

const lines = data.latencies;
const latencyRange = logRange([...lines.least_ms, ...lines.greatest_ms, ...data.runs.map(run => run.threshold_ms)]);
// A latency of 0 is on no logarithmic axis.
const onAxis = column => column.map(ms => (ms === null ? null : Math.max(ms, latencyRange[0])));
const columns = [lines.at_s, onAxis(lines.greatest_ms), onAxis(lines.least_ms), onAxis(lines.median_ms)];

// A stretch of time on the canvas, at least two dots wide so that it is seen.
function stretch(chart, dot, [from_s, to_s]) {
    const from = chart.valToPos(from_s, "x", true);
    const width = chart.valToPos(to_s, "x", true) - from;
    return [from, Math.max(width, 2 * dot)];
}

function shade(chart, dot, pauses) {
    within(chart, (ctx, { top, height }) => {
        ctx.strokeStyle = colour("suspect");
        ctx.lineWidth = dot;
        for (const suspect of data.suspects) {
            const [from, width] = stretch(chart, dot, suspect);
            hatch(ctx, from, top, width, height, 6 * dot);
        }
        for (const pause of pauses) {
            const [from, width] = stretch(chart, dot, pause);
            ctx.fillStyle = colour("pause");
            ctx.fillRect(from, top, width, height);
            ctx.fillStyle = colour("pause-edge");
            ctx.fillRect(from, top, width, 3 * dot);
        }
    });
}

function hatch(ctx, left, top, width, height, step) {
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    ctx.beginPath();
    // In step with the canvas, and only where it is seen: a span may be wide while the chart is zoomed.
    const first = Math.max(Math.floor((left - height) / step), Math.floor(-height / step));
    const last = Math.min(left + width, ctx.canvas.width) / step;
    for (let index = first; index <= last; index++) {
        ctx.moveTo(index * step, top + height);
        ctx.lineTo(index * step + height, top);
    }
    ctx.stroke();
    ctx.strokeRect(left, top, width, height);
    ctx.restore();
}

// Triangles along the upper edge, where calls never came back.
function markLost(chart, dot) {
    within(chart, (ctx, { top }) => {
        ctx.fillStyle = colour("lost");
        let latest = -Infinity;
        lines.lost.forEach((lost, index) => {
            const x = chart.valToPos(lines.at_s[index], "x", true);
            if (lost === 0 || x - latest < 2 * dot) return;
            latest = x;
            ctx.beginPath();
            ctx.moveTo(x - 4 * dot, top + 4 * dot);
            ctx.lineTo(x + 4 * dot, top + 4 * dot);
            ctx.lineTo(x, top + 11 * dot);
            ctx.fill();
        });
    });
}

function tellLatency(chart, holder) {
    const index = chart.cursor.idx;
    const calls = index == null ? 0 : lines.calls[index];
    if (!calls) return readout(holder, "");
    const lost = lines.lost[index];
    let text = moment(lines.at_s[index]) + ": " + count(calls, "call");
    if (lines.median_ms[index] !== null) {
        const [least, greatest] = [duration(lines.least_ms[index]), duration(lines.greatest_ms[index])];
        text += ", median " + duration(lines.median_ms[index]) + ", " + least + " to " + greatest;
    }
    readout(holder, text + (lost ? ", " + lost + " never came back" : ""));
}

function latencyChart(holder, width, height, scale) {
    const run = data.runs[holder.dataset.run] ?? { pauses: [], threshold_ms: 0 };
    const dot = () => uPlot.pxRatio * scale;
    const text = "threshold " + duration(run.threshold_ms);
    const line = (name, more) => ({ stroke: () => colour(name), width: scale, points: { show: false }, ...more });
    const options = {
        width,
        height,
        padding: [10 * scale, 12 * scale, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { size: 7 * scale }, sync: { key: "time", setSeries: false }, drag: { x: true, y: false } },
        scales: {
            x: { time: false, range: (_, min, max) => (min < max ? [min, max] : [min - 1, min + 1]) },
            y: { distr: 3, range: () => latencyRange },
        },
        axes: [
            axis(scale, { size: (data.is_utc ? 44 : 28) * scale, space: 90 * scale, incrs: STEPS, splits: timeMarks, values: timeTexts }),
            latencyAxis(scale),
        ],
        series: [
            {},
            line("band-edge"),
            line("band-edge"),
            // With few calls the points are all that there is.
            line("median", { width: 1.5 * scale, points: { size: 4 * scale, stroke: () => colour("median"), fill: () => colour("median") } }),
        ],
        bands: [{ series: [1, 2], fill: () => colour("band") }],
        hooks: {
            drawClear: [chart => shade(chart, dot(), run.pauses)],
            draw: [
                chart => run.threshold_ms > 0 && thresholds(chart, dot(), [[run.threshold_ms, text]], "right"),
                chart => markLost(chart, dot()),
            ],
            setCursor: [chart => tellLatency(chart, holder)],
        },
    };
    return new uPlot(options, columns, holder);
}
