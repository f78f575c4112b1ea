//! Line charts as SVG, on a white ground, so that they can be read in a dark page, too.

use plotters::coord::combinators::{BindKeyPoints, IntoLogRange};
use plotters::element::{Circle, PathElement, Text};
use plotters::prelude::{ChartBuilder, IntoDrawingArea, LineSeries, RGBColor, SVGBackend, TRANSPARENT, WHITE};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, TextStyle};

const SIZE: (u32, u32) = (860, 500);
/// What stands right of the lines: their names.
const NAMES: u32 = 190;
const NAME_HEIGHT: i32 = 17;
const GREY: RGBColor = RGBColor(217, 217, 217);
const BLACK: RGBColor = RGBColor(30, 30, 30);
/// That people who are colour-blind can tell apart, too (Okabe and Ito, "Color Universal Design", 2008).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 0, 0),
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// A logarithmic one.
pub(crate) struct Axis {
    pub(crate) label: &'static str,
    pub(crate) ticks: Vec<f64>,
    pub(crate) text: fn(f64) -> String,
}

impl Axis {
    fn ends(&self) -> (f64, f64) {
        (self.ticks[0], self.ticks[self.ticks.len() - 1])
    }
}

pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// What stands beside the points, if anything does: left above them, or right below them.
    pub(crate) labels: Vec<String>,
    pub(crate) is_labelled_below: bool,
    /// In pixels.
    pub(crate) width: u32,
}

impl Default for Line {
    fn default() -> Self {
        Self { name: String::new(), points: Vec::new(), labels: Vec::new(), is_labelled_below: false, width: 2 }
    }
}

type PlotError = Box<dyn std::error::Error>;

/// The text of an SVG file. Points that lie off the axes are left out.
pub(crate) fn chart(title: &str, x: &Axis, y: &Axis, lines: &[Line]) -> Result<String, String> {
    draw(title, x, y, lines).map_err(|error| format!("{title}: {error}"))
}

fn draw(title: &str, x: &Axis, y: &Axis, lines: &[Line]) -> Result<String, PlotError> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let font = |size: f64| TextStyle::from(("sans-serif", size).into_font()).color(&BLACK);
        let ((x_from, x_to), (y_from, y_to)) = (x.ends(), y.ends());
        let mut chart = ChartBuilder::on(&root)
            .caption(title, font(17.0))
            .margin(12)
            .margin_right(NAMES)
            .x_label_area_size(52)
            .y_label_area_size(74)
            .build_cartesian_2d(
                (x_from..x_to).log_scale().with_key_points(x.ticks.clone()),
                (y_from..y_to).log_scale().with_key_points(y.ticks.clone()),
            )?;
        chart
            .configure_mesh()
            .x_desc(x.label)
            .y_desc(y.label)
            .bold_line_style(GREY)
            .light_line_style(TRANSPARENT)
            .axis_style(BLACK)
            .label_style(font(13.0))
            .axis_desc_style(font(14.0))
            .x_label_formatter(&|tick| (x.text)(*tick))
            .y_label_formatter(&|tick| (y.text)(*tick))
            .draw()?;
        let mut names = Vec::new();
        for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
            let is_seen = |&(x, y): &(f64, f64)| (x_from..=x_to).contains(&x) && (y_from..=y_to).contains(&y);
            let points: Vec<_> = line.points.iter().copied().filter(is_seen).collect();
            chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(line.width)))?;
            if points.len() < 50 {
                chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, colour.filled())))?;
            }
            for (point, label) in line.points.iter().zip(&line.labels).filter(|(point, _)| is_seen(point)) {
                let (x, y) = chart.backend_coord(point);
                let (pos, place) = if line.is_labelled_below {
                    (Pos::new(HPos::Left, VPos::Top), (x + 5, y + 4))
                } else {
                    (Pos::new(HPos::Right, VPos::Bottom), (x - 5, y - 3))
                };
                root.draw(&Text::new(label.clone(), place, font(12.0).color(colour).pos(pos)))?;
            }
            if let Some(last) = points.last() {
                names.push((chart.backend_coord(last), line.name.clone(), colour));
            }
        }
        let left = (SIZE.0 - NAMES) as i32 + 12;
        for ((end, name, colour), y) in placed(names) {
            root.draw(&PathElement::new(vec![(end.0 + 5, end.1), (left - 4, y)], colour.mix(0.35).stroke_width(1)))?;
            let style = font(13.0).color(colour).pos(Pos::new(HPos::Left, VPos::Center));
            root.draw(&Text::new(name, (left, y), style))?;
        }
        root.present()?;
    }
    Ok(svg)
}

type Name<'a> = ((i32, i32), String, &'a RGBColor);

/// Each name beside the end of its line, or as near to it as there is room.
fn placed(mut names: Vec<Name<'_>>) -> Vec<(Name<'_>, i32)> {
    names.sort_by_key(|((_, y), ..)| *y);
    let mut heights: Vec<_> = names.iter().map(|((_, y), ..)| *y).collect();
    for index in 1..heights.len() {
        heights[index] = heights[index].max(heights[index - 1] + NAME_HEIGHT);
    }
    let lowest = SIZE.1 as i32 - 70;
    if let Some(last) = heights.last_mut() {
        *last = (*last).min(lowest);
    }
    for index in (1..heights.len()).rev() {
        heights[index - 1] = heights[index - 1].min(heights[index] - NAME_HEIGHT);
    }
    names.into_iter().zip(heights).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_room() {
        let names = [100, 100, 400, 101, 499].map(|y| ((0, y), String::new(), &COLOURS[0]));
        let heights: Vec<_> = placed(names.to_vec()).into_iter().map(|(_, y)| y).collect();
        assert_eq!(heights, [100, 117, 134, 400, 430]);
    }

    #[test]
    fn a_chart_has_its_words_and_is_the_same_each_time() {
        let axis = |label| Axis { label, ticks: vec![1.0, 10.0, 100.0], text: |tick| format!("{tick} calls") };
        let line = Line { name: "a line".to_owned(), points: vec![(2.0, 3.0), (50.0, 20.0)], ..Line::default() };
        let draw = || chart("A title", &axis("across"), &axis("up"), std::slice::from_ref(&line)).expect("a chart");
        let svg = draw();
        for word in ["<svg", "A title", "across", "up", "a line", "10 calls"] {
            assert!(svg.contains(word), "{word}");
        }
        assert_eq!(svg, draw());
    }
}
