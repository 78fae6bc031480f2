//! Whom an encrypted connection trusts: the authorities of one file and nobody else, TLS 1.2 at least, no way back.

use super::SendError;
use crate::settings::TlsSettings;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// Certificates of a file at most.
const CERTIFICATES_MAX: usize = 64;

/// What a connection needs: the rules, and the name that the receiver must prove.
///
/// # Errors
/// A file that cannot be read or is none, or a name that is none: in words, with the file's path.
pub fn client(settings: &TlsSettings) -> Result<(Arc<ClientConfig>, ServerName<'static>), SendError> {
    let authority = settings.authority.as_deref().ok_or_else(|| SendError::new("ca: missing"))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authority)? {
        roots.add(certificate).map_err(|error| SendError::new(format!("ca {}: {error}", authority.display())))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| SendError::new(error.to_string()))?
        .with_root_certificates(roots);
    let config = match &settings.client {
        Some((chain, key)) => builder
            .with_client_auth_cert(certificates(chain)?, private_key(key)?)
            .map_err(|error| SendError::new(format!("client_certificate {}: {error}", chain.display())))?,
        None => builder.with_no_client_auth(),
    };
    let name = settings.server_name.clone().unwrap_or_default();
    let server = ServerName::try_from(name.clone())
        .map_err(|_| SendError::new(format!("server_name: `{name}` is no name of a host")))?;
    Ok((Arc::new(config), server))
}

/// The certificates of a PEM file, one at least.
///
/// # Errors
/// It cannot be read, or holds none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SendError> {
    let told = |error: &dyn std::fmt::Display| SendError::new(format!("{}: {error}", path.display()));
    let read: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| told(&error))?.take(CERTIFICATES_MAX).collect();
    let certificates = read.map_err(|error| told(&error))?;
    if certificates.is_empty() { Err(told(&"holds no certificate")) } else { Ok(certificates) }
}

/// The private key of a PEM file.
///
/// # Errors
/// It cannot be read, or holds none, or everybody may read it.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, SendError> {
    kept_secret(path)?;
    PrivateKeyDer::from_pem_file(path).map_err(|error| SendError::new(format!("{}: {error}", path.display())))
}

/// That not everybody on this machine may read a file.
///
/// # Errors
/// They may, or the file is not there.
pub fn kept_secret(path: &Path) -> Result<(), SendError> {
    use std::os::unix::fs::MetadataExt;
    let about = std::fs::metadata(path).map_err(|error| SendError::new(format!("{}: {error}", path.display())))?;
    if about.mode() & 0o007 == 0 {
        return Ok(());
    }
    Err(SendError::new(format!("{}: every user may read this secret; expected mode 0600 or 0640", path.display())))
}
