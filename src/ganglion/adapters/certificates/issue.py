"""What stands in the certificates. EC P-256, which every TLS library takes."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CA_LIFE, _SERVER_LIFE = timedelta(days=3650), timedelta(days=365)
_SKEW = timedelta(days=1)
"""Certificates begin this long before they are made: a node's clock may be behind."""

_Extensions = list[tuple[x509.ExtensionType, bool]]
"""Each with whether a reader that does not know it must refuse the certificate."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority at one moment, and whose it is."""

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey
    now: datetime
    whose: str


def authority_certificate(key: EllipticCurvePrivateKey, now: datetime, whose: str) -> x509.Certificate:
    """Return a certificate that an authority signs for itself."""
    name = _name(f"{whose} authority")
    extensions: _Extensions = [
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (_key_usage(signs_certificates=True), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
    ]
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    return _sign(_valid(builder, now, _CA_LIFE), extensions, key)


def server_certificate(
    public_key: EllipticCurvePublicKey, names: list[x509.GeneralName], issuer: Issuer
) -> x509.Certificate:
    """Return a certificate for a server that is reached by `names`."""
    extensions = [*_of_an_end(public_key, issuer, ExtendedKeyUsageOID.SERVER_AUTH)]
    extensions.append((x509.SubjectAlternativeName(names), False))
    builder = x509.CertificateBuilder().subject_name(_name(issuer.whose)).public_key(public_key)
    builder = builder.issuer_name(issuer.certificate.subject)
    return _sign(_valid(builder, issuer.now, _SERVER_LIFE), extensions, issuer.key)


def client_certificate(
    public_key: EllipticCurvePublicKey, name: str, issuer: Issuer, *, life: timedelta
) -> x509.Certificate:
    """Return a certificate with which a program proves who it is, and which no server can show."""
    builder = x509.CertificateBuilder().subject_name(_name(name)).public_key(public_key)
    builder = builder.issuer_name(issuer.certificate.subject)
    extensions = _of_an_end(public_key, issuer, ExtendedKeyUsageOID.CLIENT_AUTH)
    return _sign(_valid(builder, issuer.now, life), extensions, issuer.key)


def sha256_of(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate (DER), hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def is_good(certificate: x509.Certificate, now: datetime, *, left_min: timedelta) -> bool:
    """Tell whether a certificate is valid now and for longer than `left_min`."""
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - left_min


def is_issued(certificate: x509.Certificate, issuer: Issuer, names: list[x509.GeneralName]) -> bool:
    """Tell whether a certificate comes from this authority and holds exactly these names."""
    extensions = certificate.extensions
    try:
        shown = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        identifier = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except x509.ExtensionNotFound:
        return False
    return set(shown) == set(names) and identifier == _authority_key_identifier(issuer)


def belongs(certificate: x509.Certificate, key: EllipticCurvePrivateKey) -> bool:
    """Tell whether a certificate is for this key."""
    return pin_of(certificate.public_key()) == pin_of(key.public_key())


def pin_of(public_key: CertificatePublicKeyTypes) -> str:
    """Return the SHA-256 of a public key (DER SubjectPublicKeyInfo), hexadecimal."""
    der = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def pem_of(certificate: x509.Certificate) -> bytes:
    """Return a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _of_an_end(public_key: EllipticCurvePublicKey, issuer: Issuer, use: x509.ObjectIdentifier) -> _Extensions:
    """Return what stands in every certificate that signs no others."""
    return [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(signs_certificates=False), True),
        (x509.ExtendedKeyUsage([use]), False),
        (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
        (_authority_key_identifier(issuer), False),
    ]


def _valid(builder: x509.CertificateBuilder, now: datetime, life: timedelta) -> x509.CertificateBuilder:
    return builder.not_valid_before(now - _SKEW).not_valid_after(now + life)


def _sign(builder: x509.CertificateBuilder, extensions: _Extensions, key: EllipticCurvePrivateKey) -> x509.Certificate:
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.serial_number(x509.random_serial_number()).sign(key, hashes.SHA256())


def _authority_key_identifier(issuer: Issuer) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
