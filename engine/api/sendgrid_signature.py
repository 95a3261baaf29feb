"""SendGrid's signatures: ECDSA by a key of theirs, whose public half everybody may know."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from engine.errors import BadConfiguration

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey


def read_key(text: str) -> EllipticCurvePublicKey | None:
    """Return a public key as SendGrid shows it, in base64 or as PEM; None for anything else.

    Raises ``BadConfiguration`` where the library is not installed that can read one.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
        from cryptography.hazmat.primitives.serialization import load_der_public_key
    except ImportError:
        raise BadConfiguration(
            ["SENDGRID needs a library on the server: pip install 'baton-engine[webhooks]'"]
        ) from None
    inner = "".join(line for line in text.splitlines() if not line.startswith("-----"))
    try:
        key = load_der_public_key(base64.b64decode(inner, validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, EllipticCurvePublicKey) else None


def is_signed(key: EllipticCurvePublicKey, signature: str, content: bytes) -> bool:
    """Return whether the signature, in base64, is one of this content."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        key.verify(base64.b64decode(signature, validate=True), content, ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True
