//! The webhook: its keys, its signature, and one delivery.
//!
//! Headers and signature are those of Standard Webhooks 1.0.0 (<https://www.standardwebhooks.com>), so that receivers
//! have libraries that verify them.

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dormouse_core::webhook::message::Message;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a key.
const KEY_BYTES: RangeInclusive<usize> = 24..=64;
/// How long a receiver may take: it is to answer first, and then do what it does.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keys that messages are signed with. With several, receivers may go over from one to the next.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys(Vec<Vec<u8>>);

impl Keys {
    /// Reads one key or several, comma-separated: base64 of 24 to 64 bytes each, with `whsec_` before it or not.
    pub fn parse(text: &str) -> Option<Keys> {
        let key = |text: &str| {
            let text = text.trim();
            let bytes = BASE64_STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok()?;
            KEY_BYTES.contains(&bytes.len()).then_some(bytes)
        };
        text.split(',').map(key).collect::<Option<_>>().map(Keys)
    }

    /// The value of `webhook-signature`, made of what is signed: id, seconds, body.
    fn sign(&self, id: &str, second: i64, body: &str) -> String {
        let signature = |key: &Vec<u8>| {
            // HMAC takes keys of every length.
            let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
            mac.update(format!("{id}.{second}.{body}").as_bytes());
            Some(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
        };
        self.0.iter().filter_map(signature).collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

/// The way to a receiver.
#[async_trait]
pub trait Post: Send + Sync {
    /// Posts JSON, and answers the status. An error says why there was no answer, and not where it was looked for: an
    /// address may be a secret.
    async fn post(&self, headers: &[(&'static str, String)], body: &str) -> Result<u16, String>;
}

#[cfg(feature = "aws")]
#[async_trait]
impl Post for dormouse_aws::Https {
    async fn post(&self, headers: &[(&'static str, String)], body: &str) -> Result<u16, String> {
        let usual = [
            ("content-type", "application/json".to_owned()),
            ("user-agent", concat!("dormouse/", env!("CARGO_PKG_VERSION")).to_owned()),
        ];
        let headers =
            usual.iter().chain(headers).map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        dormouse_aws::Https::post(self, headers, body.as_bytes().to_vec()).await
    }
}

/// Who is told.
#[derive(Clone)]
pub struct Webhook {
    keys: Keys,
    way: Arc<dyn Post>,
}

impl Webhook {
    /// Whoever is at the end of that way.
    pub fn new(keys: Keys, way: Arc<dyn Post>) -> Webhook {
        Webhook { keys, way }
    }

    /// Tells it once.
    ///
    /// # Errors
    /// Why it may not have been taken: only an answer with 2xx says that it was.
    pub async fn tell(&self, message: &Message, now: Timestamp) -> Result<(), String> {
        let second = now.as_second();
        let headers = [
            ("webhook-id", message.id.clone()),
            ("webhook-timestamp", second.to_string()),
            ("webhook-signature", self.keys.sign(&message.id, second, &message.body)),
        ];
        match tokio::time::timeout(PATIENCE, self.way.post(&headers, &message.body)).await {
            Ok(Ok(200..300)) => Ok(()),
            Ok(Ok(status)) => Err(format!("it was answered with {status}")),
            Ok(Err(why)) => Err(why),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn signed_as_every_receivers_library_has_it() {
        let sign = |keys: &str| {
            let keys = Keys::parse(keys).unwrap();
            keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, "{\"test\": 2432232314}")
        };
        // The example that those libraries are tested with.
        let known = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign(KEY), known);
        assert_eq!(sign(&KEY[6..]), known, "the prefix is only a mark");
        let both = sign(&format!("{}, {KEY}", BASE64_STANDARD.encode([7; 24])));
        assert!(both.ends_with(&format!(" {known}")) && both.matches("v1,").count() == 2, "{both}");
    }

    #[test]
    fn what_is_a_key() {
        let of = |bytes: usize| format!("whsec_{}", BASE64_STANDARD.encode(vec![1; bytes]));
        for (text, is_one) in [
            (KEY.to_owned(), true),
            (of(24), true),
            (of(64), true),
            (of(23), false),
            (of(65), false),
            (String::new(), false),
            (format!("{KEY},"), false),
            ("whsec_not base64".to_owned(), false),
        ] {
            assert_eq!(Keys::parse(&text).is_some(), is_one, "{text}");
        }
        assert_eq!(format!("{:?}", Keys::parse(KEY)), "Some(Keys(…))");
    }

    struct Answers(Result<u16, String>);

    #[async_trait]
    impl Post for Answers {
        async fn post(&self, _: &[(&'static str, String)], _: &str) -> Result<u16, String> {
            match &self.0 {
                Ok(0) => std::future::pending().await,
                answer => answer.clone(),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_2xx_is_taken() {
        let message = Message { id: "msg_1".into(), body: "{}".into() };
        for (answer, told) in [
            (Ok(200), Ok(())),
            (Ok(204), Ok(())),
            (Ok(301), Err("it was answered with 301")),
            (Ok(410), Err("it was answered with 410")),
            (Ok(503), Err("it was answered with 503")),
            (Err("connection refused".to_owned()), Err("connection refused")),
            (Ok(0), Err("no answer within 10 s")),
        ] {
            let webhook = Webhook::new(Keys::parse(KEY).unwrap(), Arc::new(Answers(answer)));
            let found = webhook.tell(&message, Timestamp::UNIX_EPOCH).await;
            assert_eq!(found, told.map_err(str::to_owned));
        }
    }
}
