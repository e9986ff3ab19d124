//! Prometheus text, written by whoever counts.

/// Something with numbers to show at `/metrics`.
pub trait Metrics: Send + Sync {
    /// Appends its families, in Prometheus' text format, each with `HELP` and `TYPE`, each line ended.
    fn write(&self, out: &mut String);
}
