// Percentiles, and the trade-off between false trips and delay.

// 2 nines are 99 %.
function percent(nines) {
    const decimals = Math.max(0, Math.ceil(nines - 1e-9) - 2);
    return (100 * (1 - 10 ** -nines)).toFixed(decimals) + " %";
}

function disc(ctx, x, y, radius, colourName) {
    ctx.beginPath();
    ctx.arc(x, y, radius, 0, 2 * Math.PI);
    ctx.fillStyle = colour(colourName);
    ctx.fill();
    ctx.lineWidth = radius / 3;
    ctx.strokeStyle = colour("ground");
    ctx.stroke();
}

// Where a run judges: at this quantile, latencies above this threshold are too slow.
function verdicts(chart, dot, runs) {
    within(chart, ctx => {
        for (const run of runs) {
            disc(ctx, chart.valToPos(run.nines, "x", true), chart.valToPos(run.threshold_ms, "y", true), 4.5 * dot, "threshold");
        }
    });
}

function percentileChart(holder, width, height, scale) {
    const dot = () => uPlot.pxRatio * scale;
    const runs = data.runs.filter(run => run.threshold_ms > 0 && run.nines !== null);
    const judged = runs.map(run => [run.threshold_ms, run.name + ": P" + percent(run.nines).slice(0, -2) + " above " + duration(run.threshold_ms)]);
    const [nines, ms] = [0, 1].map(at => data.percentiles.map(point => point[at]));
    const range = logRange([...ms, ...runs.map(run => run.threshold_ms)]);
    const last = Math.max(nines[nines.length - 1], ...runs.map(run => run.nines), 0.5);
    // A narrow chart has no room for 50 %.
    const marks = chart => [
        ...(chart.width < 600 * scale ? [0] : [0, Math.log10(2)]),
        ...Array.from({ length: Math.floor(last) }, (_, index) => index + 1),
    ];
    const options = {
        width,
        height,
        padding: [10 * scale, 18 * scale, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { size: 7 * scale }, drag: { x: false, y: false } },
        scales: { x: { time: false, range: () => [0, last * 1.02] }, y: { distr: 3, range: () => range } },
        axes: [
            axis(scale, { size: 28 * scale, splits: marks, values: (_, shown) => shown.map(percent) }),
            latencyAxis(scale),
        ],
        series: [
            {},
            { stroke: () => colour("median"), width: 2 * scale, points: { show: nines.length < 3, size: 5 * scale, fill: () => colour("median") } },
        ],
        hooks: {
            // To the left the curve is low.
            draw: [chart => thresholds(chart, dot(), judged, "left"), chart => verdicts(chart, dot(), runs)],
            setCursor: [
                ({ cursor: { idx } }) => readout(holder, idx == null ? "" : percent(nines[idx]) + " of the calls took " + duration(ms[idx]) + " or less"),
            ],
        },
    };
    return new uPlot(options, [nines, ms.map(value => Math.max(value, range[0]))], holder);
}

// Those that no other candidate beats in both: as a line of steps.
function frontier(points) {
    let best = Infinity;
    return points.map(({ y }) => {
        if (y >= best) return null;
        best = y;
        return y;
    });
}

function nearest(chart, points) {
    const { left, top } = chart.cursor;
    let [found, least] = [null, 30 ** 2];
    for (const point of points) {
        const apart = (chart.valToPos(point.x, "x") - left) ** 2 + (chart.valToPos(point.y, "y") - top) ** 2;
        if (left >= 0 && apart < least) [found, least] = [point, apart];
    }
    return found;
}

function drawChosen(chart, dot, chosen) {
    within(chart, (ctx, { left, width }) => {
        const [x, y] = [chart.valToPos(chosen.x, "x", true), chart.valToPos(chosen.y, "y", true)];
        disc(ctx, x, y, 6 * dot, "chosen");
        // Where there is more room. If there is none for all of it, the text below the chart has it.
        const isLeft = x > left + width / 2;
        const room = (isLeft ? x - left : left + width - x) - 16 * dot;
        ctx.font = font(dot);
        const text = "chosen: " + chosen.name;
        const shown = ctx.measureText(text).width < room ? text : "chosen";
        label(ctx, shown, x + (isLeft ? -10 : 10) * dot, y - 8 * dot, dot, isLeft ? "right" : "left", "chosen");
    });
}

function tradeOffChart(holder, width, height, scale) {
    const dot = () => uPlot.pxRatio * scale;
    const known = data.trade_off;
    const ranges = [logRange(known.map(point => point.delay_ms)), logRange(known.map(point => point.false_trips_a_month))];
    // A zero is on no logarithmic axis: it is drawn at the axis' end.
    const place = point => ({ ...point, x: Math.max(point.delay_ms, ranges[0][0]), y: Math.max(point.false_trips_a_month, ranges[1][0]) });
    const points = known.map(place).sort((one, other) => one.x - other.x || one.y - other.y);
    const chosen = points.find(point => point.is_chosen);
    const named = (label, more) => axis(scale, { label, labelFont: font(scale), labelSize: 20 * scale, ...more });
    const texts = (_, marks) => marks.map(mark => (mark === null ? "" : number(mark)));
    const options = {
        width,
        height,
        padding: [10 * scale, 18 * scale, 0, 0],
        legend: { show: false },
        cursor: { points: { show: false }, drag: { x: false, y: false } },
        scales: { x: { time: false, distr: 3, range: () => ranges[0] }, y: { distr: 3, range: () => ranges[1] } },
        axes: [
            named("delay", { size: 28 * scale, space: 60 * scale, values: (_, marks) => marks.map(ms => (ms === null ? "" : duration(ms))) }),
            named("false trips a month", { size: 52 * scale, space: 26 * scale, values: texts }),
        ],
        series: [
            {},
            { paths: () => null, points: { show: true, size: 6 * scale, width: 0, stroke: () => colour("median"), fill: () => colour("band-edge") } },
            { stroke: () => colour("median"), width: 1.5 * scale, spanGaps: true, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } },
        ],
        hooks: {
            draw: [chart => chosen && drawChosen(chart, dot(), chosen)],
            setCursor: [
                chart => {
                    const point = nearest(chart, points);
                    const text = point && point.name + ": " + number(point.false_trips_a_month) + " false trips a month, delay " + duration(point.delay_ms);
                    readout(holder, text ?? "");
                },
            ],
        },
    };
    return new uPlot(options, [points.map(({ x }) => x), points.map(({ y }) => y), frontier(points)], holder);
}
