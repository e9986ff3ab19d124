//! What a service's containers wrote, read from its log group within AWS's rates.

use crate::reconcile::pace::Pace;
use dormouse_aws::ports::{CloudError, Logs};
use dormouse_core::budget::Kind;
use dormouse_core::logs::{Line, Part, Window, newest};
use jiff::Timestamp;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Lines in one answer at most.
pub const MOST: usize = 10_000;
/// Calls for one answer at most: a page is up to 1 MB, or empty where little was written in a long time.
const PAGES: usize = 20;
/// Answers that are read at a time: each is held in memory until it is whole.
const AT_ONCE: usize = 2;

/// Reads a log group.
pub struct LogReader {
    port: Arc<dyn Logs>,
    group: String,
    pace: Pace,
    turns: Semaphore,
}

impl LogReader {
    /// A reader of `group`. `api_budget` is the share of AWS's rate that it keeps to; `None`: there is none.
    pub fn new(port: Arc<dyn Logs>, group: String, api_budget: Option<f64>) -> LogReader {
        LogReader { port, group, pace: Pace::new(api_budget), turns: Semaphore::new(AT_ONCE) }
    }

    /// The group's name.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The newest lines of a stretch of time, [`MOST`] of them at most, the oldest first. `true`: there are, or may be,
    /// older ones.
    ///
    /// # Errors
    /// When AWS does not answer, or has no such group.
    pub async fn read(
        &self,
        prefix: &str,
        part: Part,
        window: Window,
        most: usize,
        now: Timestamp,
    ) -> Result<(Vec<Line>, bool), CloudError> {
        let _turn = self.turns.acquire().await;
        let most = most.min(MOST);
        let mut lines = Vec::new();
        let mut pages = PAGES;
        for slice in window.slices(now) {
            let (found, whole) = self.slice(prefix, part, slice, &mut pages).await?;
            // What was not read to its end is a slice's beginning: between it and what is there already, lines are missing.
            if whole || lines.is_empty() {
                lines.extend(found);
            }
            if !whole || (lines.len() >= most && slice.from > window.from) {
                return Ok((newest(lines, most).0, true));
            }
        }
        Ok(newest(lines, most))
    }

    /// The lines of a stretch, and whether they are all of them.
    async fn slice(
        &self,
        prefix: &str,
        part: Part,
        slice: Window,
        pages: &mut usize,
    ) -> Result<(Vec<Line>, bool), CloudError> {
        let mut lines = Vec::new();
        let mut next: Option<String> = None;
        while *pages > 0 {
            *pages -= 1;
            let read = || self.port.page(&self.group, prefix, slice, next.as_deref());
            let page = self.pace.read(Kind::Logs, 1, read).await?;
            lines.extend(page.events.into_iter().filter_map(|event| Line::of(event, part)));
            match page.next {
                Some(token) => next = Some(token),
                None => return Ok((lines, true)),
            }
        }
        Ok((lines, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeLogs, NOW, at, wrote};

    /// The newest `most` lines of `seconds` until now.
    async fn read(logs: &Arc<FakeLogs>, seconds: i64, most: usize) -> (Vec<String>, bool) {
        let now = at(NOW);
        let window = Window { from: now.as_millisecond() - seconds * 1000, to: None };
        let (lines, older) = logs.reader().read("shop/", Part::All, window, most, now).await.unwrap();
        (lines.into_iter().map(|line| line.message).collect(), older)
    }

    /// Written so many seconds ago.
    fn at_seconds(seconds: &[i64]) -> Arc<FakeLogs> {
        FakeLogs::new(seconds.iter().map(|ago| wrote(*ago, "shop/app/t", &format!("-{ago}"))))
    }

    #[tokio::test]
    async fn no_more_is_read_than_what_the_newest_lines_take() {
        let logs = at_seconds(&[5_000, 3_000, 100, 20, 10, 5]);
        for (seconds, most, lines, older, calls) in [
            (6_000, 2, &["-10", "-5"][..], true, 2),
            (6_000, 4, &["-100", "-20", "-10", "-5"], true, 3),
            (6_000, 9, &["-5000", "-3000", "-100", "-20", "-10", "-5"], false, 5),
            (15, 9, &["-10", "-5"], false, 1),
            (15, 1, &["-5"], true, 1),
            (1, 9, &[], false, 1),
        ] {
            logs.asked.lock().unwrap().clear();
            let found = read(&logs, seconds, most).await;
            assert_eq!(found, (lines.iter().map(ToString::to_string).collect(), older), "{seconds} {most}");
            assert_eq!(logs.asked.lock().unwrap().len(), calls, "{seconds} {most}");
        }
    }

    #[tokio::test]
    async fn an_answer_takes_a_limited_number_of_calls_and_has_no_gap() {
        // 60 lines, two a page: the older slice cannot be read to its end.
        let many: Vec<i64> = (0..60).map(|number| 40 + number).chain([10, 5]).collect();
        let logs = at_seconds(&many);
        assert_eq!(read(&logs, 6_000, MOST).await, (vec!["-10".into(), "-5".into()], true));
        assert_eq!(logs.asked.lock().unwrap().len(), PAGES);
        // Nor can the newest one: what there is of it is shown.
        let crowd: Vec<i64> = (0..60).map(|number| number % 20).collect();
        let (lines, older) = read(&at_seconds(&crowd), 6_000, MOST).await;
        assert!(older && !lines.is_empty(), "{lines:?}");
    }

    #[tokio::test]
    async fn streams_of_others_are_not_read() {
        let logs = FakeLogs::new([wrote(1, "shop/app/t", "own"), wrote(1, "shop-2/app/t", "another's")]);
        assert_eq!(read(&logs, 60, MOST).await, (vec!["own".into()], false));
    }
}
