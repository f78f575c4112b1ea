// What the charts share. `scale` is 1, or 2 for print: then everything is drawn twice as large.

const root = document.documentElement;

function colour(name) {
    return getComputedStyle(root).getPropertyValue("--" + name).trim();
}

function font(scale) {
    return 12 * scale + "px system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
}

function axis(scale, more) {
    const line = name => ({ stroke: () => colour(name), width: scale });
    return {
        stroke: () => colour("faint"),
        font: font(scale),
        gap: 4 * scale,
        grid: line("grid"),
        ticks: { ...line("line"), size: 5 * scale },
        ...more,
    };
}

// An axis of latencies to the left.
function latencyAxis(scale, label) {
    return axis(scale, {
        size: 62 * scale,
        space: 26 * scale,
        values: (_, marks) => marks.map(ms => (ms === null ? "" : duration(ms))),
        ...(label && { label, labelFont: font(scale), labelSize: 20 * scale }),
    });
}

// 1, 2 or 5 times a power of ten, just beyond the value. A hair doesn't count.
function roundedDown(value) {
    const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
    return power * [5, 2, 1].find(digit => value >= digit * power * (1 - 1e-9));
}

function roundedUp(value) {
    const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
    return power * [1, 2, 5, 10].find(digit => value <= digit * power * (1 + 1e-9));
}

// The ends of a logarithmic axis on which all positive values are.
function logRange(values) {
    let [low, high] = [Infinity, 0];
    for (const value of values) {
        if (value > 0 && value < low) low = value;
        if (value > high) high = value;
    }
    if (high === 0) return [0.1, 10];
    const ends = [roundedDown(low), roundedUp(high)];
    // Room above and below, so that no line is on the edge.
    return [low < ends[0] * 1.1 ? roundedDown(ends[0] * 0.9) : ends[0], high > ends[1] * 0.9 ? roundedUp(ends[1] * 1.1) : ends[1]];
}

// Draws within the chart's area. All lengths are in pixels of the canvas.
function within(chart, draw) {
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    draw(ctx, bbox);
    ctx.restore();
}

// A text with a rim, so that lines don't cross it.
function label(ctx, text, x, y, dot, align, colourName) {
    ctx.font = font(dot);
    ctx.textAlign = align;
    ctx.textBaseline = "alphabetic";
    ctx.lineJoin = "round";
    ctx.lineWidth = 4 * dot;
    ctx.strokeStyle = colour("ground");
    ctx.strokeText(text, x, y);
    ctx.fillStyle = colour(colourName);
    ctx.fillText(text, x, y);
}

// Dashed lines across the chart at thresholds: milliseconds, with texts at the `side` that they begin or end at. A text stands below its
// line if there is no room above.
function thresholds(chart, dot, lines, side) {
    within(chart, (ctx, bbox) => {
        let above = Infinity;
        for (const [ms, text] of [...lines].sort(([one], [other]) => one - other)) {
            const y = Math.round(chart.valToPos(ms, "y", true));
            ctx.strokeStyle = colour("threshold");
            ctx.lineWidth = 2 * dot;
            ctx.setLineDash([6 * dot, 4 * dot]);
            ctx.beginPath();
            ctx.moveTo(bbox.left, y);
            ctx.lineTo(bbox.left + bbox.width, y);
            ctx.stroke();
            ctx.setLineDash([]);
            const isBelow = y - bbox.top < 20 * dot;
            // Lines go upwards: the one before is below this one.
            const at = isBelow ? y + 15 * dot : Math.min(y - 5 * dot, above - 15 * dot);
            const x = side === "left" ? bbox.left + 6 * dot : bbox.left + bbox.width - 6 * dot;
            label(ctx, text, x, at, dot, side, "threshold");
            above = at;
        }
    });
}

// The line of text below a chart.
function readout(holder, text) {
    holder.parentElement.querySelector(".readout").textContent = text;
}
