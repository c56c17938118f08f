//! Certificates: a CA of our own, and what it signs.
//!
//! Lines between programs and servers are TLS 1.3 with a certificate on both sides. A certificate
//! names its holder and is good for a span; it gives no rights, which are the credential's.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use time::OffsetDateTime;

/// Ten years: it is replaced by hand, with both in the CA file for a while.
const CA_LASTS: Duration = Duration::from_hours(24 * 3_652);
/// Clocks differ; a certificate is good from a little before it was made.
const BEFORE: Duration = Duration::from_hours(1);

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[error("make the certificate of {holder}")]
pub struct CertificateError {
    holder: String,
    #[source]
    source: rcgen::Error,
}

/// From when to when a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// From here on.
    pub from: OffsetDateTime,
    /// Up to here.
    pub until: OffsetDateTime,
}

impl Span {
    /// Good from about now on for `lasts`.
    #[must_use]
    pub fn starting(now: OffsetDateTime, lasts: Duration) -> Self {
        Self { from: now - BEFORE, until: now + lasts }
    }
}

/// A certificate with its key, both in PEM.
#[derive(Clone)]
pub struct Certificate {
    /// What is shown.
    pub certificate: String,
    /// What is kept.
    pub key: String,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificate(…)")
    }
}

/// What signs certificates.
pub struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl std::fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CertificateAuthority(…)")
    }
}

impl CertificateAuthority {
    /// A new one, with its key in PEM.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn make(name: &str, now: OffsetDateTime) -> Result<(Self, Certificate), CertificateError> {
        let failed = |source| CertificateError { holder: name.to_owned(), source };
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = ca_params(name);
        (params.not_before, params.not_after) = (now - BEFORE, now + CA_LASTS);
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        let kept = Certificate { certificate: certificate.clone(), key: key.serialize_pem() };
        Ok((Self { issuer: Issuer::new(params, key), certificate }, kept))
    }

    /// The one of this name that was made before.
    ///
    /// # Errors
    /// When the key is none.
    pub fn load(name: &str, kept: Certificate) -> Result<Self, CertificateError> {
        let failed = |source| CertificateError { holder: name.to_owned(), source };
        let key = KeyPair::from_pem(&kept.key).map_err(failed)?;
        Ok(Self { issuer: Issuer::new(ca_params(name), key), certificate: kept.certificate })
    }

    /// The CA's own certificate, which everybody may know.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate for a program that connects.
    ///
    /// # Errors
    /// When the name does not fit into one.
    pub fn client(&self, name: &str, span: Span) -> Result<Certificate, CertificateError> {
        self.issue(name, Vec::new(), ExtendedKeyUsagePurpose::ClientAuth, span)
    }

    /// A certificate for a server that is reached under these names and addresses.
    ///
    /// # Errors
    /// When a name does not fit into one.
    pub fn server(
        &self,
        name: &str,
        hosts: &[String],
        span: Span,
    ) -> Result<Certificate, CertificateError> {
        let failed = |source| CertificateError { holder: name.to_owned(), source };
        let mut names = Vec::new();
        for host in hosts {
            names.push(match host.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_name) => SanType::DnsName(host.as_str().try_into().map_err(failed)?),
            });
        }
        self.issue(name, names, ExtendedKeyUsagePurpose::ServerAuth, span)
    }

    fn issue(
        &self,
        name: &str,
        names: Vec<SanType>,
        usage: ExtendedKeyUsagePurpose,
        span: Span,
    ) -> Result<Certificate, CertificateError> {
        let failed = |source| CertificateError { holder: name.to_owned(), source };
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name);
        params.subject_alt_names = names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = (span.from, span.until);
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?.pem();
        Ok(Certificate { certificate, key: key.serialize_pem() })
    }
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(SerialNumber::from(1_u64));
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}
