"""A throw-away certificate authority, on files."""
import dataclasses
import datetime
import ipaddress
import os
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Pair:
    """A certificate and its key, in PEM form."""
    certificate: bytes
    key: bytes

    def write(self, folder: pathlib.Path, name: str) -> tuple[str, str]:
        """As NAME.pem and NAME.key; each is replaced at once, the key first."""
        paths = []
        for suffix, content in ((".key", self.key), (".pem", self.certificate)):
            fresh, path = folder / f"{name}{suffix}.new", folder / f"{name}{suffix}"
            fresh.write_bytes(content)
            os.replace(fresh, path)
            paths.append(str(path))
        return paths[1], paths[0]


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """Vouches for whom a test likes."""

    def __init__(self, name: str = "a test's authority"):
        self._key, self._name = ec.generate_private_key(ec.SECP256R1()), _name(name)
        now = datetime.datetime.now(datetime.timezone.utc)
        usage = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True,
                              content_commitment=False, key_encipherment=False, data_encipherment=False,
                              key_agreement=False, encipher_only=False, decipher_only=False)
        certificate = (
            x509.CertificateBuilder().subject_name(self._name).issuer_name(self._name)
            .public_key(self._key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY).not_valid_after(now + 30 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256()))
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str = "localhost", days: int = 10) -> Pair:
        """For a host, or an address in digits; expired if `days` is negative."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        try:
            general: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            general = x509.DNSName(name)
        certificate = (
            x509.CertificateBuilder().subject_name(_name(name)).issuer_name(self._name)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - 20 * _DAY).not_valid_after(now + days * _DAY)
            .add_extension(x509.SubjectAlternativeName([general]), critical=False)
            .sign(self._key, hashes.SHA256()))
        return Pair(certificate.public_bytes(serialization.Encoding.PEM), _pem(key))
