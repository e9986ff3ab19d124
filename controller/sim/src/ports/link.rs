//! The way from one controller to another, which loses what is said, is late, or is cut.

use super::pause;
use crate::process::Fate;
use crate::profile::SECOND;
use crate::sim::World;
use async_trait::async_trait;
use dormouse::plane::{Plane as _, StandbyAnswer, StandbyReport};
use dormouse::reconcile::ControllerPlane;
use dormouse::replicas::link::{Broken, Feed, Link, News};
use dormouse_core::view::ServiceView;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// A controller as others reach it.
#[derive(Clone)]
pub struct Peer {
    /// It, as users' side sees it.
    pub plane: ControllerPlane,
    /// What happens to its process.
    pub fate: Arc<Fate>,
    /// Which one it is.
    pub controller: usize,
}

/// The way to one controller.
pub struct Way {
    world: World,
    peer: Peer,
}

fn broken(why: &str) -> Broken {
    Broken(why.to_owned())
}

impl Way {
    /// The way to a URL.
    ///
    /// # Errors
    /// When nobody was ever there.
    pub fn to(world: &World, url: &str) -> Result<Way, Broken> {
        let peer = world.peer(url).ok_or_else(|| broken("nobody is there"))?;
        Ok(Way { world: world.clone(), peer })
    }

    /// Something goes over it, one way.
    async fn cross(&self) -> Result<(), Broken> {
        let (is_cut, fails, takes) = {
            let mut sim = self.world.sim();
            let (fails, late) = (sim.profile.link_fails, sim.profile.link_late);
            let is_late = sim.rng.chance(late);
            let takes = if is_late { sim.rng.between(100, 4 * SECOND) } else { sim.rng.between(1, 5) };
            (sim.now < sim.truth.parted_until, sim.rng.chance(fails), takes)
        };
        if is_cut {
            // Whoever waits gives up.
            return std::future::pending().await;
        }
        pause(takes).await;
        if fails { Err(broken("the connection broke")) } else { Ok(()) }
    }

    /// Whether somebody is there who takes it.
    async fn arrive(&self) -> Result<(), Broken> {
        if self.peer.fate.is_frozen() {
            return std::future::pending().await;
        }
        if self.peer.fate.answers() { Ok(()) } else { Err(broken("nobody is there any more")) }
    }
}

#[async_trait]
impl Link for Way {
    async fn report(&self, report: &StandbyReport) -> Result<StandbyAnswer, Broken> {
        self.cross().await?;
        self.arrive().await?;
        let heard = self.peer.plane.hear_standby(report.clone()).await;
        self.cross().await?;
        heard.ok_or_else(|| broken("it does not lead"))
    }

    async fn news(&self) -> Result<Box<dyn Feed>, Broken> {
        self.cross().await?;
        self.arrive().await?;
        let changes = self.peer.plane.changes();
        let queue = self.peer.plane.services().into();
        let way = Way { world: self.world.clone(), peer: self.peer.clone() };
        Ok(Box::new(Changes { way, changes, queue }))
    }
}

struct Changes {
    way: Way,
    changes: Receiver<Arc<ServiceView>>,
    queue: VecDeque<Arc<ServiceView>>,
}

#[async_trait]
impl Feed for Changes {
    async fn next(&mut self) -> Result<News, Broken> {
        loop {
            let Some(view) = self.queue.pop_front() else {
                match self.changes.recv().await {
                    Ok(view) => self.queue.push_back(view),
                    Err(RecvError::Lagged(_)) => self.queue = self.way.peer.plane.services().into(),
                    Err(RecvError::Closed) => return Err(broken("it has ended")),
                }
                continue;
            };
            self.way.arrive().await?;
            self.way.cross().await?;
            let name = &view.metadata.name;
            let is_gone = view.metadata.deleting && self.way.peer.plane.service(name).is_none();
            return Ok(if is_gone {
                News::Gone(name.clone())
            } else {
                News::Service(Box::new((*view).clone()))
            });
        }
    }
}
