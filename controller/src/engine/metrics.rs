//! The control plane's own numbers.

use super::Engine;
use crate::metrics::Metrics;
use std::fmt::Write as _;
use std::sync::atomic::Ordering;

impl Metrics for Engine {
    fn write(&self, out: &mut String) {
        let _ =
            writeln!(out, "# HELP dormouse_leader Whether this replica leads.\n# TYPE dormouse_leader gauge");
        let _ = writeln!(out, "dormouse_leader {}", u8::from(self.epoch.load(Ordering::Acquire) > 0));
        let _ = writeln!(
            out,
            "# HELP dormouse_queue_depth Keys that wait to be reconciled.\n# TYPE dormouse_queue_depth gauge"
        );
        let _ = writeln!(out, "dormouse_queue_depth {}", self.scheduler.len());
        let _ = writeln!(
            out,
            "# HELP dormouse_aws_calls_total Calls to AWS.\n# TYPE dormouse_aws_calls_total counter"
        );
        let counts = self.cloud.calls.snapshot();
        for (operation, count) in &counts {
            let _ = writeln!(out, "dormouse_aws_calls_total{{operation=\"{operation}\"}} {}", count.calls);
        }
        let _ = writeln!(
            out,
            "# HELP dormouse_aws_throttled_total Calls that AWS throttled.\n# TYPE dormouse_aws_throttled_total counter"
        );
        for (operation, count) in &counts {
            let _ = writeln!(
                out,
                "dormouse_aws_throttled_total{{operation=\"{operation}\"}} {}",
                count.throttled
            );
        }
    }
}
