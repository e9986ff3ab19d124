//! The table, and the same as JSON.

use crate::stats::Ratio;
use serde_json::{Value, json};
use std::fmt::Write;

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    /// The scenario.
    pub title: String,
    /// What was looked at.
    pub measured: String,
    /// Of `ours` and theirs.
    pub unit: &'static str,
    /// The proxy's figure, the median of the rounds.
    pub ours: f64,
    /// Who else, their figure, and the ratio of ours to it.
    pub against: Option<(String, f64, Ratio)>,
    /// The ratio of the same program to itself.
    pub noise: Option<Ratio>,
    /// Less than this share of difference means nothing.
    pub margin: f64,
    /// At most this ratio; without another one, at most this figure.
    pub aim: Option<f64>,
    /// What would be better still.
    pub stretch: Option<f64>,
}

/// What a line says of its aim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Better than what was aimed at.
    Stretch,
    /// As aimed at.
    Met,
    /// Not met, but by less than means anything.
    Close,
    /// Not met.
    Missed,
    /// Nothing is aimed at.
    Unknown,
}

impl Row {
    /// What is compared with the aim.
    pub fn figure(&self) -> f64 {
        self.against.as_ref().map_or(self.ours, |(_, _, ratio)| ratio.median)
    }

    /// Whether the aim is met.
    pub fn verdict(&self) -> Verdict {
        let Some(aim) = self.aim else { return Verdict::Unknown };
        let figure = self.figure();
        let margin = self.margin.max(self.noise.map_or(0.0, Ratio::off));
        if self.stretch.is_some_and(|stretch| figure <= stretch) {
            Verdict::Stretch
        } else if figure <= aim {
            Verdict::Met
        } else if figure <= aim * (1.0 + margin) && self.against.is_some() {
            Verdict::Close
        } else {
            Verdict::Missed
        }
    }

    fn json(&self) -> Value {
        json!({
            "scenario": self.title,
            "measured": self.measured,
            "unit": self.unit,
            "proxy": self.ours,
            "against": self.against.as_ref().map(|(name, _, _)| name),
            "other": self.against.as_ref().map(|(_, theirs, _)| theirs),
            "ratio": self.against.as_ref().map(|(_, _, ratio)| ratio_json(*ratio)),
            "noise": self.noise.map(ratio_json),
            "aim": self.aim,
            "stretch": self.stretch,
            "verdict": self.verdict().words(),
        })
    }
}

fn ratio_json(ratio: Ratio) -> Value {
    json!({ "median": ratio.median, "least": ratio.least, "greatest": ratio.greatest })
}

impl Verdict {
    /// As tables say it.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Stretch => "met, stretch",
            Verdict::Met => "met",
            Verdict::Close => "missed by noise",
            Verdict::Missed => "missed",
            Verdict::Unknown => "",
        }
    }
}

/// The table for people.
pub fn table(rows: &[Row]) -> String {
    let heads =
        ["scenario", "measured", "proxy", "other", "against", "ratio", "(rounds)", "noise", "aim", "verdict"];
    let mut lines: Vec<[String; 10]> = vec![heads.map(str::to_owned)];
    for row in rows {
        let (against, theirs, ratio, rounds) = match &row.against {
            None => Default::default(),
            Some((name, theirs, ratio)) => (
                name.clone(),
                figure(*theirs),
                format!("{:.2}", ratio.median),
                format!("({:.2}-{:.2})", ratio.least, ratio.greatest),
            ),
        };
        lines.push([
            row.title.clone(),
            format!("{}, {}", row.measured, row.unit),
            figure(row.ours),
            theirs,
            against,
            ratio,
            rounds,
            row.noise.map_or_else(String::new, |noise| format!("{:.2}", noise.median)),
            match (row.aim, row.stretch) {
                (None, _) => String::new(),
                (Some(aim), None) => format!("{aim:.2}"),
                (Some(aim), Some(stretch)) => format!("{aim:.2} ({stretch:.2})"),
            },
            row.verdict().words().to_owned(),
        ]);
    }
    let mut text = String::new();
    let widths: Vec<usize> = (0..heads.len())
        .map(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0))
        .collect();
    for line in &lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(at, (cell, width))| match at {
            // Figures stand right.
            2 | 3 | 5 => format!("{cell:>width$}"),
            _ => format!("{cell:<width$}"),
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn figure(value: f64) -> String {
    match value {
        large if large >= 100.0 => format!("{large:.0}"),
        middling if middling >= 10.0 => format!("{middling:.1}"),
        small => format!("{small:.2}"),
    }
}

/// The lines for programs.
pub fn json(rows: &[Row]) -> Value {
    rows.iter().map(Row::json).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ratio: f64, noise: f64) -> Row {
        let ratio_of = |median| Ratio { median, least: median, greatest: median };
        Row {
            title: "a".into(),
            measured: "CPU".into(),
            unit: "µs",
            ours: 1.0,
            against: Some(("b".into(), 2.0, ratio_of(ratio))),
            noise: Some(ratio_of(noise)),
            margin: 0.05,
            aim: Some(0.8),
            stretch: Some(0.7),
        }
    }

    #[test]
    fn verdicts() {
        assert_eq!(row(0.7, 1.0).verdict(), Verdict::Stretch);
        assert_eq!(row(0.75, 1.0).verdict(), Verdict::Met);
        assert_eq!(row(0.83, 1.0).verdict(), Verdict::Close);
        assert_eq!(row(0.85, 1.0).verdict(), Verdict::Missed);
        assert_eq!(row(0.85, 0.9).verdict(), Verdict::Close, "a noisy machine tells less");
        let alone = Row { against: None, ours: 0.81, ..row(1.0, 1.0) };
        assert_eq!(alone.verdict(), Verdict::Missed, "a figure is a figure");
        assert_eq!(Row { aim: None, ..alone }.verdict(), Verdict::Unknown);
    }

    #[test]
    fn columns_stand_below_each_other() {
        let text = table(&[row(0.7, 1.0), Row { title: "longer".into(), ..row(0.5, 1.0) }]);
        let at = |line: &str| Some(line[..line.find("0.80 (").or(line.find("aim"))?].chars().count());
        let at: Vec<_> = text.lines().map(at).collect();
        assert!(at[0] == at[1] && at[0] == at[2] && at[0].is_some(), "{text}");
        assert!(text.contains("met, stretch"), "{text}");
    }
}
