//! The time, read once for each turn of a connection's task.
//!
//! A request asks for it some eight times: when it begins and ends, when bytes move, when a connection is taken and kept.
//! Within one turn, which takes microseconds, the answer may as well be the same.

use std::cell::Cell;
use tokio::time::Instant;

thread_local! {
    static TURN: Cell<Turn> = const { Cell::new(Turn::None) };
}

#[derive(Clone, Copy)]
enum Turn {
    /// Nobody's: every look is a new one.
    None,
    /// It has not been looked yet.
    Began,
    /// It was this late then.
    At(Instant),
}

/// Now; within a turn as of its first look.
pub fn now() -> Instant {
    match TURN.get() {
        Turn::None => Instant::now(),
        Turn::At(now) => now,
        Turn::Began => {
            let now = Instant::now();
            TURN.set(Turn::At(now));
            now
        }
    }
}

/// Runs one turn.
pub fn turn<T>(turn: impl FnOnce() -> T) -> T {
    /// A panic ends the turn as well.
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            TURN.set(Turn::None);
        }
    }
    TURN.set(Turn::Began);
    let _ends = Ends;
    turn()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn it_stands_still_within_a_turn_only() {
        let before = now();
        advance(Duration::from_secs(1)).await;
        assert_eq!(now() - before, Duration::from_secs(1));
        let (first, second) = turn(|| (now(), now()));
        assert_eq!(first, second);
        advance(Duration::from_secs(1)).await;
        assert_eq!(turn(now) - first, Duration::from_secs(1));
    }
}
