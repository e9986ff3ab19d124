//! A standby hears from the leader what changes, and tells it what it is asked.

use super::SILENT;
use super::link::{Broken, Feed, Link, News};
use crate::reconcile::Controller;
use crate::reconcile::replicas::REPORT_EVERY;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

/// Between two tries to reach the leader.
const AGAIN: Duration = Duration::from_millis(500);

/// Follows whoever leads, until `stop`: `link` is the way to a leader's URL. While this controller leads itself, there is
/// nobody to follow.
pub async fn follow<L: Link>(
    controller: Arc<Controller>,
    link: impl Fn(&str) -> Result<L, Broken>,
    stop: CancellationToken,
) {
    let mut leader = controller.leader();
    loop {
        let url = leader.borrow_and_update().clone();
        let session = async {
            let Some(url) = &url else { return std::future::pending().await };
            let error = match link(url) {
                Ok(link) => follow_one(&controller, url, &link).await,
                Err(error) => error,
            };
            controller.follows(None);
            debug!(leader = url, %error, "the leader is not followed");
            tokio::time::sleep(AGAIN).await;
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            changed = leader.changed() => {
                controller.follows(None);
                if changed.is_err() {
                    return;
                }
            }
            () = session => {}
        }
    }
}

/// Follows one leader until it falls silent; says why.
async fn follow_one(controller: &Controller, url: &str, link: &impl Link) -> Broken {
    // So that it knows of this one before anybody hears of the leader from it.
    if let Err(error) = report(controller, link).await {
        return error;
    }
    let mut feed = match link.news().await {
        Ok(feed) => feed,
        Err(error) => return error,
    };
    info!(leader = url, "following");
    controller.follows(Some(url.to_owned()));
    // They may have changed while nobody told of it.
    controller.refresh_templates().await;
    tokio::select! {
        biased;
        error = hear(controller, &mut *feed) => error,
        error = tell(controller, link) => error,
    }
}

async fn hear(controller: &Controller, feed: &mut dyn Feed) -> Broken {
    loop {
        match feed.next().await {
            Ok(News::Service(view)) => controller.hear_leader(*view).await,
            Ok(News::Gone(name)) => controller.hear_gone(&name).await,
            Ok(News::Templates) => controller.refresh_templates().await,
            Err(error) => return error,
        }
    }
}

async fn tell(controller: &Controller, link: &impl Link) -> Broken {
    loop {
        tokio::select! {
            biased;
            () = controller.news() => {}
            () = tokio::time::sleep(REPORT_EVERY) => {}
        }
        if let Err(error) = report(controller, link).await {
            return error;
        }
    }
}

async fn report(controller: &Controller, link: &impl Link) -> Result<(), Broken> {
    let report = controller.report();
    let told = tokio::time::timeout(SILENT, link.report(&report)).await;
    let told = told.unwrap_or_else(|_| Err(Broken("it takes no report".to_owned())));
    match told {
        Ok(answer) => {
            controller.hear_answer(answer);
            Ok(())
        }
        Err(error) => {
            controller.untold(report);
            Err(error)
        }
    }
}
