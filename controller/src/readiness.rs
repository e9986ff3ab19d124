//! Before anything is answered from what is declared, that has to have been read.
//!
//! A controller listens as soon as it starts. Until it has read the table it knows no service, and must not say of one
//! that it is not declared.

use crate::plane::Plane;
use crate::problem::Problem;
use http::StatusCode;
use std::time::Duration;
use tokio::time::timeout;

/// How long whoever comes too early waits. The table is read in less than a second, or does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until what is declared has been read.
///
/// # Errors
/// It was not read in time: the problem says when to come again.
pub async fn read(plane: &dyn Plane) -> Result<(), Problem> {
    if plane.is_ready() {
        return Ok(());
    }
    let mut readiness = plane.readiness();
    let read = timeout(PATIENCE, readiness.wait_for(|is_ready| *is_ready)).await;
    if matches!(read, Ok(Ok(_))) { Ok(()) } else { Err(not_ready()) }
}

/// For whoever came too early.
pub fn not_ready() -> Problem {
    let detail = "the first complete snapshot is not read yet";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", detail).retry_after(1)
}
