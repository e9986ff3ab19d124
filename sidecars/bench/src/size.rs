//! What the program takes on a disk and on the wire.

use crate::report::Row;
use std::fs;
use std::path::Path;
use std::process::Command;

const MB: f64 = 1e6;

/// The file as it is, and packed.
pub fn measure(program: &Path) -> Vec<Row> {
    let size = fs::metadata(program).expect("the program").len() as f64;
    let packed = Command::new("gzip").args(["-9", "-c"]).arg(program).output().expect("gzip");
    let row = |measured: &str, bytes: f64, aim| Row {
        title: "size of the program".to_owned(),
        measured: measured.to_owned(),
        unit: "MB",
        ours: bytes / MB,
        against: None,
        noise: None,
        margin: 0.0,
        aim: Some(aim),
        stretch: None,
    };
    vec![row("stripped", size, 1.5), row("gzip -9", packed.stdout.len() as f64, 0.7)]
}
