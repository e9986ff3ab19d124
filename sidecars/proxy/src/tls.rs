//! TLS on the front, with the cargo feature `tls`: rustls, with ring because it is the lighter of its providers.
//!
//! Certificate and key come from files or from the environment. Files are looked at every few seconds, and a pair that
//! has changed and is sound serves new connections from then on; one that is not is complained about, once.

use crate::http1::stream::{Stream, Wire};
use crate::settings::Tls;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// Between looks at the files.
const LOOK: Duration = Duration::from_secs(2);

/// The first byte of whoever speaks TLS.
pub const HANDSHAKE: u8 = 0x16;

/// The certificate that is served, and where it came from.
pub struct Certificate {
    from: Tls,
    pem: Mutex<(Vec<u8>, Vec<u8>)>,
    config: Mutex<Arc<ServerConfig>>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the key.
        f.write_str("Certificate")
    }
}

impl Certificate {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn load(from: Tls) -> Result<Certificate, String> {
        let pem = read(&from)?;
        let config = configure(&pem)?;
        Ok(Certificate { from, pem: Mutex::new(pem), config: Mutex::new(config) })
    }

    /// Takes a client's greeting.
    ///
    /// # Errors
    /// What the network says, or that it is no TLS that is spoken here.
    pub async fn accept(&self, stream: Stream) -> io::Result<Stream> {
        let config = Arc::clone(&self.config.lock().unwrap_or_else(PoisonError::into_inner));
        let stream = TlsAcceptor::from(config).accept(stream).await?;
        Ok(Stream::new(Wire::Other(Box::new(stream))))
    }

    /// Follows changes of the files, for ever.
    pub async fn follow(&self) {
        let mut complained = false;
        loop {
            sleep(LOOK).await;
            match self.reload() {
                Ok(true) => tracing::info!("serves another certificate from now on"),
                Ok(false) => {}
                Err(error) if !complained => {
                    tracing::error!("the certificate changed and is not usable: {error}");
                    complained = true;
                    continue;
                }
                Err(_) => continue,
            }
            complained = false;
        }
    }

    fn reload(&self) -> Result<bool, String> {
        let pem = read(&self.from)?;
        if *self.pem.lock().unwrap_or_else(PoisonError::into_inner) == pem {
            return Ok(false);
        }
        // A pair that is being written, one file after the other, does not fit for a moment.
        let config = configure(&pem)?;
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = config;
        *self.pem.lock().unwrap_or_else(PoisonError::into_inner) = pem;
        Ok(true)
    }
}

fn read(from: &Tls) -> Result<(Vec<u8>, Vec<u8>), String> {
    match from {
        Tls::Text { certificate, key } => Ok((certificate.clone().into_bytes(), key.clone().into_bytes())),
        Tls::Files { certificate, key } => {
            let read = |path: &String| std::fs::read(path).map_err(|error| format!("{path}: {error}"));
            Ok((read(certificate)?, read(key)?))
        }
    }
}

fn configure((certificate, key): &(Vec<u8>, Vec<u8>)) -> Result<Arc<ServerConfig>, String> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("the certificate is no PEM: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("the key is no PEM: {error}"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
