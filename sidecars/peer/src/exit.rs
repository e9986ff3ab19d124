//! How a sidecar ends.

use std::process::ExitCode;

/// Why a sidecar ends. In ECS its container is essential: whatever the code, the task ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: it was asked to, by a signal or by the shutdown file.
    Asked,
    /// 1: `healthcheck` found it unhealthy, or it could not start serving.
    Failed,
    /// 2: its settings or arguments are wrong.
    Wrong,
    /// 10: the other half (or, for the service sidecar, the user's container) is lost.
    PeerLost,
    /// 11: nobody used it for long, and no controller is there to say so.
    Idle,
}

impl Exit {
    /// The process's exit code.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Asked => 0,
            Exit::Failed => 1,
            Exit::Wrong => 2,
            Exit::PeerLost => 10,
            Exit::Idle => 11,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Runs a sidecar's life on one thread: it waits far more than it computes, and its task is billed by the
/// memory it reserves.
pub fn process(life: impl Future<Output = Exit>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(life);
            // A name that is being resolved in a thread must not delay the exit.
            runtime.shutdown_background();
            exit.into()
        }
        Err(_) => Exit::Failed.into(),
    }
}
