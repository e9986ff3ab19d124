//! How often one client may wake one service, and all of them together.

use crate::refusals::Reason;
use crate::waker::Refused;
use dormouse_manifests::{RateLimit, Wake};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;
use tokio::time::Instant;

/// So many clients are told apart. Past that, new ones are not limited: one wake a service is under way anyway.
const MAX_CLIENTS: usize = 10_000;

/// Full at first; each wake takes one, and they come back over time.
#[derive(Debug)]
struct Bucket {
    left: f64,
    looked: Instant,
    rate: RateLimit,
}

impl Bucket {
    fn full(rate: RateLimit, now: Instant) -> Bucket {
        Bucket { left: f64::from(rate.count), looked: now, rate }
    }

    /// Takes one, or says in how long there is one again.
    fn take(&mut self, rate: RateLimit, now: Instant) -> Result<(), Duration> {
        self.rate = rate;
        self.refill(now);
        if self.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.left) / per_second(rate)));
        }
        self.left -= 1.0;
        Ok(())
    }

    fn refill(&mut self, now: Instant) {
        let gained = now.duration_since(self.looked).as_secs_f64() * per_second(self.rate);
        self.left = (self.left + gained).min(f64::from(self.rate.count));
        self.looked = now;
    }

    fn is_full(&self) -> bool {
        self.left >= f64::from(self.rate.count)
    }
}

fn per_second(rate: RateLimit) -> f64 {
    f64::from(rate.count) / rate.per.as_secs_f64().max(f64::MIN_POSITIVE)
}

/// The buckets of all services and clients.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    buckets: HashMap<(String, IpAddr), Bucket>,
    /// Of all clients together; only declared services have one.
    services: HashMap<String, Bucket>,
    swept: Option<Instant>,
}

/// Looking through all buckets is not for every request.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

impl Rates {
    /// Takes one wake, of the client's and of the service's; of neither when one of them has none.
    pub(crate) fn admit(&mut self, service: &str, from: IpAddr, limits: &Wake) -> Result<(), Refused> {
        let refused = |reason| move |retry_after| Refused::TooOften { reason, retry_after };
        if let Some(rate) = limits.rate_limit {
            self.take(service, from, rate).map_err(refused(Reason::ClientRate))?;
        }
        let Some(rate) = limits.service_rate_limit else { return Ok(()) };
        let now = Instant::now();
        let bucket = self.services.entry(service.to_owned()).or_insert_with(|| Bucket::full(rate, now));
        bucket.take(rate, now).map_err(|retry_after| {
            if let Some(paid) = self.buckets.get_mut(&(service.to_owned(), client(from))) {
                paid.left += 1.0;
            }
            refused(Reason::ServiceRate)(retry_after)
        })
    }

    /// Takes one of the client's, by whatever name it is kept.
    pub(crate) fn take(&mut self, service: &str, from: IpAddr, rate: RateLimit) -> Result<(), Duration> {
        let now = Instant::now();
        let key = (service.to_owned(), client(from));
        if !self.buckets.contains_key(&key) && self.buckets.len() >= MAX_CLIENTS {
            self.sweep(now);
            if self.buckets.len() >= MAX_CLIENTS {
                return Ok(());
            }
        }
        self.buckets.entry(key).or_insert_with(|| Bucket::full(rate, now)).take(rate, now)
    }

    /// Forgets who has not woken anything for long.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now.duration_since(swept) < SWEEP_PAUSE) {
            return;
        }
        self.swept = Some(now);
        self.buckets.retain(|_, bucket| {
            bucket.refill(now);
            !bucket.is_full()
        });
    }
}

/// Who has an IPv6 address has 2^64 of them.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: RateLimit = RateLimit { count: 2, per: Duration::from_secs(60) };

    #[tokio::test(start_paused = true)]
    async fn wakes_come_back_over_time() {
        let mut rates = Rates::default();
        let (one, two): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        assert_eq!(rates.take("a", one, RATE), Ok(()));
        assert_eq!(rates.take("a", one, RATE), Ok(()));
        assert_eq!(rates.take("a", one, RATE), Err(Duration::from_secs(30)));
        assert_eq!(rates.take("a", two, RATE), Ok(()), "others are not concerned");
        assert_eq!(rates.take("b", one, RATE), Ok(()), "nor are other services");
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(rates.take("a", one, RATE), Ok(()));
        assert!(rates.take("a", one, RATE).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn all_clients_share_the_service_s_rate() {
        let mut rates = Rates::default();
        let limits = Wake {
            rate_limit: Some(RATE),
            service_rate_limit: Some(RateLimit { count: 3, ..RATE }),
            ..Wake::default()
        };
        let mut admit = |last: u8| rates.admit("a", [10, 0, 0, last].into(), &limits);
        assert_eq!([admit(1), admit(1)], [Ok(()), Ok(())]);
        let refused =
            |reason, seconds| Err(Refused::TooOften { reason, retry_after: Duration::from_secs(seconds) });
        assert_eq!(admit(1), refused(Reason::ClientRate, 30));
        assert_eq!(admit(2), Ok(()));
        assert_eq!(admit(2), refused(Reason::ServiceRate, 20));
        assert_eq!(admit(3), refused(Reason::ServiceRate, 20));
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(admit(2), Ok(()), "who was refused for the others' sake did not pay");
        assert_eq!(admit(4), refused(Reason::ServiceRate, 20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_is_one_client() {
        let mut rates = Rates::default();
        for last in 1..=2u16 {
            assert_eq!(
                rates.take("a", Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into(), RATE),
                Ok(())
            );
        }
        assert!(rates.take("a", Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 9, 0, 0, 9).into(), RATE).is_err());
        assert!(rates.take("a", Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 1).into(), RATE).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_clients_is_bounded() {
        let mut rates = Rates::default();
        for count in 0..30_000u32 {
            assert_eq!(rates.take("a", IpAddr::V4(count.into()), RATE), Ok(()));
        }
        assert_eq!(rates.buckets.len(), MAX_CLIENTS);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(rates.take("b", IpAddr::V4(1.into()), RATE), Ok(()));
        assert_eq!(rates.buckets.len(), 1);
    }
}
