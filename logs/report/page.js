// Puts the charts into their places, and draws them anew when the size, the colours or the medium change.

const KINDS = { latency: latencyChart, percentiles: percentileChart, "trade-off": tradeOffChart };
// So wide is a page of A4 or Letter between its margins.
const PRINT_WIDTH = 680;

const holders = [...document.querySelectorAll(".chart")];
const charts = new Map();
let isPrinting = false;

function height(width) {
    return width < 600 ? 240 : 300;
}

function draw(holder) {
    charts.get(holder)?.destroy();
    const [width, scale] = isPrinting ? [PRINT_WIDTH, 2] : [holder.clientWidth, 1];
    const tall = isPrinting ? 230 : height(width);
    charts.set(holder, KINDS[holder.dataset.chart](holder, width * scale, tall * scale, scale));
}

const resized = new ResizeObserver(entries => {
    if (isPrinting) return;
    for (const { target } of entries) {
        const [chart, width] = [charts.get(target), target.clientWidth];
        if (chart && width > 0 && chart.width !== width) chart.setSize({ width, height: height(width) });
    }
});

for (const holder of holders) {
    draw(holder);
    resized.observe(holder);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach(chart => chart.redraw()));

// In print all is open, and light.
const folds = [...document.querySelectorAll("details.opens-in-print")];
let opened = [];

addEventListener("beforeprint", () => {
    if (isPrinting) return;
    isPrinting = true;
    root.dataset.print = "";
    opened = folds.filter(fold => !fold.open);
    for (const fold of opened) fold.open = true;
    holders.forEach(draw);
});

addEventListener("afterprint", () => {
    if (!isPrinting) return;
    isPrinting = false;
    delete root.dataset.print;
    for (const fold of opened) fold.open = false;
    holders.forEach(draw);
});

for (const button of document.querySelectorAll("[data-copies]")) {
    const text = document.getElementById(button.dataset.copies);
    const said = button.parentElement.querySelector(".said");
    const select = () => getSelection().selectAllChildren(text);
    button.hidden = false;
    button.addEventListener("click", async () => {
        try {
            await navigator.clipboard.writeText(text.textContent);
            said.textContent = "Copied.";
        } catch {
            // A page from a file may not use the clipboard everywhere.
            select();
            const isCopied = document.execCommand("copy");
            said.textContent = isCopied ? "Copied." : "Selected: copy it by Ctrl+C.";
        }
    });
}
