//! `DORMOUSE_MANIFESTS`: a directory whose manifests are declared at the start and when they change.

use crate::plane::{Declared, Plane};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How often the directory is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Declares what the directory holds whenever that differs from the last look. What is wrong is logged and
/// leaves its neighbours alone; what is no longer there stays declared.
pub async fn follow(directory: PathBuf, plane: Arc<dyn Plane>, stop: CancellationToken) {
    let mut last = None;
    loop {
        let path = directory.clone();
        let read = tokio::task::spawn_blocking(move || dormouse_manifests::load(&[path])).await;
        if let Ok(mut parsed) = read {
            let known: Vec<String> =
                plane.services().iter().map(|service| service.metadata.name.clone()).collect();
            parsed.check(&|name| known.iter().any(|known| known == name));
            let state = format!("{:?}{:?}{:?}", parsed.services, parsed.templates, parsed.diagnostics);
            if last.as_ref() != Some(&state) {
                parsed.diagnostics.iter().for_each(|diagnostic| warn!("{diagnostic}"));
                let mut whole = true;
                for template in parsed.templates {
                    let name = template.value.metadata.name.clone();
                    if let Err(error) = plane.declare_template(template.value).await {
                        whole = false;
                        warn!(template = name, %error, "could not be declared");
                    }
                }
                for service in parsed.services {
                    let name = service.value.metadata.name.clone();
                    match plane.declare(service.value).await {
                        Ok((Declared::Unchanged, _)) => {}
                        Ok((change, _)) => info!(service = name, ?change, "declared"),
                        Err(error) => {
                            whole = false;
                            warn!(service = name, %error, "could not be declared");
                        }
                    }
                }
                // What failed is tried again with the next look.
                last = whole.then_some(state);
            }
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
