//! A picture of a run: who led, what was wrong, and what came of each client's operations.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Plan, Run, report};
use crate::history::{Micros, Outcome};

const WIDTH: f64 = 1500.0;
const LEFT: f64 = 130.0;
const ROW: f64 = 18.0;
const GAP: f64 = 3.0;
/// Operations are drawn together by slices of this many microseconds.
const SLICE: Micros = 100_000;
const NODES: [&str; 7] = [
    "#4c78a8", "#f58518", "#54a24b", "#b279a2", "#eeca3b", "#9d755d", "#72b7b2",
];

/// The picture as SVG.
pub(super) fn draw(plan: &Plan, run: &Run) -> String {
    let history = &run.history;
    let last_event = history.events.iter().map(|event| event.ended).max().unwrap_or(1);
    let length = last_event.max(u64::try_from(plan.length.as_micros()).unwrap_or(1));
    let x = |at: Micros| LEFT + at as f64 / length as f64 * WIDTH;
    let mut clients: BTreeMap<u32, u8> = BTreeMap::new();
    for event in &history.events {
        clients.insert(event.client, event.host);
    }
    let height = 70.0 + ROW * (2 + history.faults.len() + clients.len()) as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"11\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/><text x=\"8\" y=\"18\" \
         font-size=\"14\">{} - {} operations, {} violations</text>\n",
        LEFT + WIDTH + 20.0,
        report::replay(plan),
        history.events.len(),
        run.violations.len()
    );
    let mut y = 34.0;
    label(&mut svg, y, "leader");
    for (index, led) in history.leaders.iter().enumerate() {
        let until = history.leaders.get(index + 1).map_or(length, |next| next.at);
        let (color, title) = match led.leader {
            Some(host) => (color(host), format!("node {host}, term {}", led.term)),
            None => ("#dddddd", "nobody".to_owned()),
        };
        bar(&mut svg, (x(led.at), x(until)), y, color, 1.0, &title);
    }
    y += ROW;
    for span in &history.faults {
        let title = span.fault.to_string();
        label(&mut svg, y, &title);
        bar(&mut svg, (x(span.began), x(span.healed)), y, "#c03030", 0.8, &title);
        y += ROW;
    }
    y += GAP;
    for (client, host) in &clients {
        label(&mut svg, y, &format!("client {client} at {host}"));
        let mut slices: BTreeMap<Micros, [u32; 3]> = BTreeMap::new();
        let own = history.events.iter().filter(|event| event.client == *client);
        for event in own {
            let which = match event.outcome {
                Outcome::Ok { .. } => 0,
                // A name that somebody else has is no trouble.
                Outcome::Fail { ref why } if why.starts_with("400") => 0,
                Outcome::Fail { .. } => 1,
                Outcome::Unknown { .. } => 2,
            };
            if which > 0 && event.ended - event.invoked > SLICE {
                let shade = ["", "#e8a33d", "#8b1a1a"][which];
                bar(&mut svg, (x(event.invoked), x(event.ended)), y, shade, 0.45, "");
            }
            slices.entry(event.ended / SLICE).or_default()[which] += 1;
        }
        for (slice, [ok, fail, unknown]) in slices {
            let (from, to) = (x(slice * SLICE), x((slice + 1) * SLICE));
            let title = format!("{ok} ok, {fail} refused, {unknown} unknown");
            let shade = if unknown > 0 {
                "#8b1a1a"
            } else if fail > 0 {
                "#e8a33d"
            } else {
                color(*host)
            };
            bar(
                &mut svg,
                (from, to),
                y,
                shade,
                0.4 + f64::from(ok.min(6)) / 10.0,
                &title,
            );
        }
        y += ROW;
    }
    axis(&mut svg, y, length, x);
    svg + "</svg>\n"
}

fn color(host: u8) -> &'static str {
    NODES[usize::from(host.saturating_sub(1)) % NODES.len()]
}

fn label(svg: &mut String, y: f64, text: &str) {
    let text = escape(text);
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{text}</text>",
        LEFT - 6.0,
        y + 12.0
    );
}

fn bar(svg: &mut String, (from, to): (f64, f64), y: f64, color: &str, opacity: f64, title: &str) {
    let width = (to - from).max(0.7);
    let height = ROW - GAP;
    let _ = writeln!(
        svg,
        "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{color}\" \
         opacity=\"{opacity:.2}\"><title>{}</title></rect>",
        escape(title)
    );
}

fn axis(svg: &mut String, y: f64, length: Micros, x: impl Fn(Micros) -> f64) {
    let step = (length / 20_000_000 + 1) * 1_000_000;
    for at in (0..=length).step_by(usize::try_from(step).unwrap_or(1_000_000)) {
        let x = x(at);
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"30\" y2=\"{y:.1}\" stroke=\"#bbb\" stroke-width=\"0.4\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{} s</text>",
            y + 14.0,
            at / 1_000_000
        );
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
