//! Who is told of what happens, tried from where the controller is.

use crate::clock::{Clock, SystemClock};
use crate::config::Secret;
use crate::logs::LogReader;
use dormouse_aws::ports::CloudError;
use dormouse_core::doctor::Reading;
use dormouse_core::doctor::telling::{LogGroup, Receiver, Telling};
use dormouse_core::logs::{Part, Window};
use http::Uri;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a name and a connection are waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// A stream that no task writes: names of services begin with a letter or a digit.
const NOBODYS: &str = "_dormouse-doctor/";

/// Whom to try.
#[derive(Default)]
pub struct Told {
    /// The webhook's address.
    pub webhook: Option<Secret>,
    /// The way to the log group.
    pub logs: Option<Arc<LogReader>>,
}

impl Told {
    /// Connects, and reads. Nothing is sent to the webhook: it would take it for a message.
    ///
    /// # Errors
    /// When AWS does not answer.
    pub(super) async fn look(&self) -> Result<Telling, CloudError> {
        let webhook = match &self.webhook {
            Some(url) => Some(receiver(url.expose()).await),
            None => None,
        };
        let logs = match &self.logs {
            Some(reader) => Some(LogGroup { name: reader.group().to_owned(), read: read(reader).await? }),
            None => None,
        };
        Ok(Telling { webhook, logs })
    }
}

async fn receiver(url: &str) -> Receiver {
    let uri: Uri = url.parse().unwrap_or_default();
    let is_encrypted = uri.scheme_str() == Some("https");
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
    let is_here = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    let reached = match timeout(PATIENCE, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    };
    Receiver { is_private: is_encrypted || is_here, reached }
}

/// By the call that `dormouse logs` makes: whoever may make that one needs no other permission for this.
async fn read(reader: &LogReader) -> Result<Reading<()>, CloudError> {
    let now = SystemClock.now();
    let window = Window { from: now.as_millisecond(), to: None };
    match reader.read(NOBODYS, Part::All, window, 1, now).await {
        Ok(_) => Ok(Reading::Known(())),
        Err(CloudError::NotFound { .. }) => Ok(Reading::Missing),
        Err(error @ (CloudError::Denied { .. } | CloudError::Refused { .. })) => {
            Ok(Reading::Unread(error.to_string()))
        }
        Err(error @ (CloudError::Throttled { .. } | CloudError::Unknown { .. })) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeLogs;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_receiver_is_reached_or_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for (url, is_private) in [
            (format!("http://127.0.0.1:{port}/hush?token=x"), true),
            (format!("http://localhost:{port}"), true),
            (format!("https://127.0.0.1:{port}/"), true),
        ] {
            assert_eq!(receiver(&url).await, Receiver { is_private, reached: Ok(()) }, "{url}");
        }
        drop(listener);
        let gone = receiver(&format!("http://127.0.0.1:{port}/hush")).await;
        let why = gone.reached.unwrap_err();
        assert!(why.contains("refused") && !why.contains("hush"), "{why}");
        assert!(!receiver("http://dormouse.invalid/").await.is_private);
    }

    #[tokio::test]
    async fn a_group_that_can_be_read_is_there() {
        let told = Told { webhook: None, logs: Some(FakeLogs::new([]).reader()) };
        let telling = told.look().await.unwrap();
        assert_eq!(telling.webhook, None);
        assert_eq!(telling.logs.unwrap().read, Reading::Known(()));
        assert_eq!(Told::default().look().await.unwrap(), Telling::default());
    }
}
