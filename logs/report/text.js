// What the page knows, and figures as text: durations in milliseconds, times in seconds since the first row.

const data = JSON.parse(document.getElementById("data").textContent);

// In three digits at most.
function number(value) {
    return String(+value.toPrecision(3));
}

function duration(ms) {
    if (ms === 0) return "0";
    if (ms < 1e-3) return number(ms * 1e6) + " ns";
    if (ms < 1) return number(ms * 1e3) + " µs";
    if (ms < 1e3) return number(ms) + " ms";
    if (ms < 600e3) return number(ms / 1e3) + " s";
    if (ms < 36e6) return number(ms / 60e3) + " min";
    if (ms < 864e6) return number(ms / 3600e3) + " h";
    return number(ms / 86400e3) + " d";
}

function count(value, what) {
    const digits = String(value).replace(/\B(?=(\d{3})+$)/g, " ");
    return digits + " " + what + (value === 1 ? "" : "s");
}

// Units for times since the first row, each with the span from which on it reads well.
const UNITS = [
    [86400, "d", 864000],
    [3600, "h", 18000],
    [60, "min", 300],
    [1, "s", 1],
    [1e-3, "ms", 1e-3],
    [1e-6, "µs", 1e-6],
    [1e-9, "ns", 0],
];

// Steps between two marks of a time axis, in seconds.
const STEPS = [];
for (let power = -9; power < 0; power++) STEPS.push(10 ** power, 2 * 10 ** power, 5 * 10 ** power);
STEPS.push(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200);
for (let days = 1; days < 1e6; days *= 10) STEPS.push(days * 86400, 2 * days * 86400, 5 * days * 86400);

function iso(at_s) {
    return new Date((data.first_s + at_s) * 1e3).toISOString();
}

// A moment, for reading.
function moment(at_s) {
    if (data.is_utc) return iso(at_s).slice(0, -1).replace("T", " ");
    return at_s < 1 ? duration(at_s * 1e3) : at_s.toFixed(3) + " s";
}

// Marks of a time axis. In UTC they are at full minutes, hours or days.
function timeMarks(_, __, min_s, max_s, step_s) {
    const offset_s = data.is_utc ? data.first_s % 86400 : 0;
    const marks = [];
    for (let index = Math.ceil((min_s + offset_s) / step_s); index * step_s - offset_s <= max_s; index++) {
        marks.push(index * step_s - offset_s);
    }
    return marks;
}

function timeTexts(chart, marks, _, __, step_s) {
    if (data.is_utc) {
        const decimals = step_s < 1 ? Math.min(3, Math.ceil(-Math.log10(step_s))) : 0;
        let day = "";
        return marks.map(at_s => {
            // To the nearest millisecond, as a mark may be a hair before its minute.
            const text = new Date(Math.round((data.first_s + at_s) * 1e3)).toISOString();
            const isNew = text.slice(0, 10) !== day;
            day = text.slice(0, 10);
            if (step_s >= 86400) return day;
            const end = step_s >= 60 ? 16 : decimals > 0 ? 20 + decimals : 19;
            return text.slice(11, end) + (isNew ? "\n" + day : "");
        });
    }
    const { min, max } = chart.scales.x;
    const [unit_s, unit] = UNITS.find(([, , from_s]) => Math.max(-min, max) >= from_s) ?? UNITS[UNITS.length - 1];
    return marks.map(at_s => +(at_s / unit_s).toPrecision(9) + " " + unit);
}
