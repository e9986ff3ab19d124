//! A standby hears from the leader what changes, and tells it what it is asked.

use super::SILENT;
use super::link::{Broken, Feed, Link, News};
use crate::engine::Engine;
use crate::engine::replicas::REPORT_EVERY;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

/// Between two tries to reach the leader.
const AGAIN: Duration = Duration::from_millis(500);

/// Follows whoever leads, until `stop`: `link` is the way to a leader's URL. While this controller leads itself, there is
/// nobody to follow.
pub async fn follow<L: Link>(
    engine: Arc<Engine>,
    link: impl Fn(&str) -> Result<L, Broken>,
    stop: CancellationToken,
) {
    let mut leader = engine.leader();
    loop {
        let url = leader.borrow_and_update().clone();
        let session = async {
            let Some(url) = &url else { return std::future::pending().await };
            let error = match link(url) {
                Ok(link) => follow_one(&engine, url, &link).await,
                Err(error) => error,
            };
            engine.follows(None);
            debug!(leader = url, %error, "the leader is not followed");
            tokio::time::sleep(AGAIN).await;
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            changed = leader.changed() => {
                engine.follows(None);
                if changed.is_err() {
                    return;
                }
            }
            () = session => {}
        }
    }
}

/// Follows one leader until it falls silent; says why.
async fn follow_one(engine: &Engine, url: &str, link: &impl Link) -> Broken {
    // So that it knows of this one before anybody hears of the leader from it.
    if let Err(error) = report(engine, link).await {
        return error;
    }
    let mut feed = match link.news().await {
        Ok(feed) => feed,
        Err(error) => return error,
    };
    info!(leader = url, "following");
    engine.follows(Some(url.to_owned()));
    // They may have changed while nobody told of it.
    engine.refresh_templates().await;
    tokio::select! {
        biased;
        error = hear(engine, &mut *feed) => error,
        error = tell(engine, link) => error,
    }
}

async fn hear(engine: &Engine, feed: &mut dyn Feed) -> Broken {
    loop {
        match feed.next().await {
            Ok(News::Service(view)) => engine.hear_leader(*view).await,
            Ok(News::Gone(name)) => engine.hear_gone(&name).await,
            Ok(News::Templates) => engine.refresh_templates().await,
            Err(error) => return error,
        }
    }
}

async fn tell(engine: &Engine, link: &impl Link) -> Broken {
    loop {
        tokio::select! {
            biased;
            () = engine.news() => {}
            () = tokio::time::sleep(REPORT_EVERY) => {}
        }
        if let Err(error) = report(engine, link).await {
            return error;
        }
    }
}

async fn report(engine: &Engine, link: &impl Link) -> Result<(), Broken> {
    let report = engine.report();
    let told = tokio::time::timeout(SILENT, link.report(&report)).await;
    let told = told.unwrap_or_else(|_| Err(Broken("it takes no report".to_owned())));
    match told {
        Ok(answer) => {
            engine.hear_answer(answer);
            Ok(())
        }
        Err(error) => {
            engine.untold(report);
            Err(error)
        }
    }
}
