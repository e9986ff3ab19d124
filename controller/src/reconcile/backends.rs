//! Where the container of each service answers, for those who wait for it. Who sleeps and is waited for by nobody takes no
//! room here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The addresses, by service.
#[derive(Debug, Default)]
pub(super) struct Backends(Mutex<BTreeMap<String, watch::Sender<Option<SocketAddr>>>>);

impl Backends {
    /// From now on it answers there, or nowhere.
    pub(super) fn set(&self, name: &str, address: Option<SocketAddr>) {
        let mut known = self.lock();
        match (known.get(name), address) {
            (None, None) => {}
            (None, Some(_)) => drop(known.insert(name.to_owned(), watch::Sender::new(address))),
            // Under the lock nobody can begin to wait.
            (Some(sender), None) if sender.receiver_count() == 0 => drop(known.remove(name)),
            (Some(sender), _) => drop(sender.send_if_modified(|known| {
                let changed = *known != address;
                *known = address;
                changed
            })),
        }
    }

    /// Where it answers, and every change of that.
    pub(super) fn watch(&self, name: &str) -> watch::Receiver<Option<SocketAddr>> {
        self.lock().entry(name.to_owned()).or_insert_with(|| watch::Sender::new(None)).subscribe()
    }

    /// Drops what answers nowhere and is waited for by nobody any more.
    pub(super) fn tidy(&self) {
        self.lock().retain(|_, sender| sender.receiver_count() > 0 || sender.borrow().is_some());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, watch::Sender<Option<SocketAddr>>>> {
        // Each change is a single insert or removal.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_hears_of_it_and_who_sleeps_takes_no_room() {
        let backends = Backends::default();
        let address = Some("10.0.0.1:9050".parse().unwrap());
        backends.set("a", None);
        assert_eq!(backends.lock().len(), 0);
        let mut waits = backends.watch("a");
        assert_eq!(*waits.borrow_and_update(), None);
        backends.set("a", None);
        assert!(!waits.has_changed().unwrap(), "it is still waited for");
        backends.set("a", address);
        assert_eq!(*waits.borrow_and_update(), address);
        backends.set("a", address);
        assert!(!waits.has_changed().unwrap());
        drop(waits);
        assert_eq!(*backends.watch("a").borrow(), address, "known to whoever comes next");
        backends.set("a", None);
        assert_eq!(backends.lock().len(), 0);
        let waits = backends.watch("b");
        backends.set("a", address);
        backends.tidy();
        assert_eq!(backends.lock().len(), 2, "one is waited for, one answers");
        drop(waits);
        backends.tidy();
        assert_eq!(backends.lock().len(), 1);
    }
}
