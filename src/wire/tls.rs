use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use super::WireError;
use super::origin::Secure;
use crate::plan::Tls;

/// The system's roots, read once in the life of the program: it takes milliseconds.
static SYSTEM: OnceLock<RootCertStore> = OnceLock::new();

/// What TLS with `host` needs; `folder` is where a named file of roots lies.
pub(super) fn secure(host: &str, tls: &Tls, folder: &Path) -> Result<Secure, WireError> {
    let name = tls.server_name.as_deref().unwrap_or(host);
    let refuse = |why: String| WireError::Tls { host: host.to_owned(), why };
    let name = ServerName::try_from(name.to_owned()).map_err(|error| refuse(error.to_string()))?;
    let mut roots = SYSTEM.get_or_init(system_roots).clone();
    if let Some(file) = &tls.ca {
        add_roots(&mut roots, file, folder)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Secure { config: Arc::new(config), name })
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // A machine without roots, or with a broken one among them, can still speak to whoever `ca` vouches for; whoever
    // needs a missing root gets an error that names it.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn add_roots(roots: &mut RootCertStore, file: &str, folder: &Path) -> Result<(), WireError> {
    let refuse = |why: String| WireError::Roots { file: file.to_owned(), why };
    let found = CertificateDer::pem_file_iter(folder.join(file)).map_err(|error| refuse(error.to_string()))?;
    let mut added = 0;
    for certificate in found {
        let certificate = certificate.map_err(|error| refuse(error.to_string()))?;
        roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
        added += 1;
    }
    if added == 0 {
        return Err(refuse("it holds no certificate in PEM form".to_owned()));
    }
    Ok(())
}
