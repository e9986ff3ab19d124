//! A time-out that costs nothing while it is not reached.
//!
//! Setting a timer of the runtime takes a lock and a place in its wheel, for each request and to no end. So the timer
//! stays where it is when the deadline moves away, and only when it fires is it set again.

use crate::clock;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Sleep, sleep_until};

/// A deadline that may be moved.
#[derive(Debug, Default)]
pub struct Deadline {
    due: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    /// The timer knows whom to wake: always the same task.
    armed: bool,
}

impl Deadline {
    /// Moves it; `None`: there is none.
    pub fn set(&mut self, due: Option<Instant>) {
        self.due = due;
        if let (Some(due), Some(timer)) = (due, &mut self.timer)
            && due < timer.deadline()
        {
            timer.as_mut().reset(due);
            self.armed = false;
        }
    }

    /// When it is.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Moves it if that brings it nearer.
    pub fn hasten(&mut self, due: Instant) {
        if self.due.is_none_or(|now| due < now) {
            self.set(Some(due));
        }
    }

    /// Sees to it that the task is woken then, after it was moved.
    pub fn watch(&mut self, cx: &mut Context<'_>) {
        if self.poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    /// Waits for it; never, if there is none.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        loop {
            if self.armed && clock::now() < timer.deadline() {
                return Poll::Pending;
            }
            self.armed = true;
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
            self.armed = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn it_is_kept_however_often_it_moves() {
        let start = Instant::now();
        let at = |seconds| Some(start + Duration::from_secs(seconds));
        for moves in [vec![10], vec![10, 20], vec![10, 5], vec![10, 20, 3, 30, 7]] {
            let start = Instant::now();
            let mut deadline = Deadline::default();
            for seconds in &moves {
                deadline.set(Some(start + Duration::from_secs(*seconds)));
                let _ = poll_fn(|cx| Poll::Ready(deadline.poll(cx))).await;
            }
            poll_fn(|cx| deadline.poll(cx)).await;
            let last = *moves.last().unwrap();
            assert!(
                start.elapsed().abs_diff(Duration::from_secs(last)) < Duration::from_millis(5),
                "{moves:?}"
            );
        }
        let mut deadline = Deadline::default();
        deadline.set(at(1));
        deadline.set(None);
        assert!(poll_fn(|cx| Poll::Ready(deadline.poll(cx))).await.is_pending());
    }
}
