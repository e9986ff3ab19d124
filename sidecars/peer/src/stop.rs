//! Being asked to stop.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Listens for the wish to stop from the moment it is made.
#[derive(Debug)]
pub struct Stop(From);

#[derive(Debug)]
enum From {
    Signals { terminate: Signal, interrupt: Signal },
    Hand(mpsc::Receiver<()>),
}

impl Stop {
    /// SIGTERM and SIGINT.
    ///
    /// # Errors
    /// What the system says.
    pub fn signals() -> io::Result<Stop> {
        Ok(Stop(From::Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        }))
    }

    /// Whoever holds the sender, for running in-process: each message is a signal.
    pub fn by_hand() -> (mpsc::Sender<()>, Stop) {
        let (sender, receiver) = mpsc::channel(4);
        (sender, Stop(From::Hand(receiver)))
    }

    /// Waits until asked. May be waited for again: a second wish is more urgent. Cancel safe.
    pub async fn asked(&mut self) {
        match &mut self.0 {
            From::Signals { terminate, interrupt } => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
            From::Hand(receiver) => {
                if receiver.recv().await.is_none() {
                    // Nobody is left who could ask.
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}
