//! Addresses, and who has them. Released public addresses are handed out again at once: to the next proxy, of
//! whichever service, or to a stranger.

use crate::profile::Ms;
use std::collections::BTreeMap;

/// Addresses in use and free ones.
#[derive(Debug, Default)]
pub struct Network {
    /// Public address → task ARN, or `stranger`.
    pub public: BTreeMap<String, String>,
    /// Private address → task ARN.
    pub private: BTreeMap<String, String>,
    /// Interface → public address, and from when on it is shown.
    pub interfaces: BTreeMap<String, (String, Ms)>,
    free_public: Vec<String>,
    free_private: Vec<String>,
    made: u32,
}

impl Network {
    /// Gives a task a private address: one that was used before when there is one.
    pub fn private(&mut self, arn: &str) -> String {
        let address = self.free_private.pop().unwrap_or_else(|| {
            self.made += 1;
            format!("10.0.{}.{}", self.made / 250, self.made % 250 + 1)
        });
        self.private.insert(address.clone(), arn.to_owned());
        address
    }

    /// Gives somebody a public address: the one that was released last when there is one.
    pub fn public(&mut self, arn: &str) -> String {
        let address = self.free_public.pop().unwrap_or_else(|| {
            self.made += 1;
            format!("198.51.{}.{}", self.made / 250, self.made % 250 + 1)
        });
        self.public.insert(address.clone(), arn.to_owned());
        address
    }

    /// Takes a private address back.
    pub fn release_private(&mut self, address: &str) {
        self.private.remove(address);
        self.free_private.push(address.to_owned());
    }

    /// Takes a public address back.
    pub fn release_public(&mut self, address: &str) {
        self.public.remove(address);
        self.free_public.push(address.to_owned());
    }

    /// A stranger of another account gets the address that was released last.
    pub fn to_a_stranger(&mut self) -> Option<String> {
        let address = self.free_public.pop()?;
        self.public.insert(address.clone(), "stranger".to_owned());
        Some(address)
    }
}
