"""Signatures of manifests, by Ed25519: who holds the bucket alone cannot make them. The one module that knows
cryptography.

A signature vouches for the whole log up to its manifest, since each manifest names the one before it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelines.archive.manifests import Sign, Signature
from pipelines.archive.record import to_json
from pipelines.errors import WrongUsage
from pipelines.settings import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PEM = re.compile(r"-----BEGIN [^-]+-----.+?-----END [^-]+-----\n?", re.DOTALL)
HOW = "make one by `openssl genpkey -algorithm ed25519`"


def signer(settings: Settings) -> Sign | None:
    """Return what signs manifests, or None where no key is set; raise `WrongUsage` for a key of another kind."""
    key = _private(settings)
    if key is None:
        return None
    name = _name(key.public_key())
    return lambda body: Signature(name, base64.b64encode(key.sign(body)).decode())


def trusted_keys(settings: Settings) -> dict[str, Ed25519PublicKey]:
    """Return the public keys that a signature may be of, by name: those of OPEDS_SIGNING_PUBLIC, and our own."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    own = _private(settings)
    found = [own.public_key()] if own else []
    blocks = PEM.findall(settings.signing_public)
    try:
        told = [load_pem_public_key(block.encode()) for block in blocks]
    except ValueError as error:
        raise WrongUsage(f"OPEDS_SIGNING_PUBLIC is no public key ({error})") from error
    if (settings.signing_public and not blocks) or not all(isinstance(key, Ed25519PublicKey) for key in told):
        raise WrongUsage("OPEDS_SIGNING_PUBLIC holds no Ed25519 key in PEM: `openssl pkey -in KEY -pubout` prints it")
    return {_name(key): key for key in (*found, *told) if isinstance(key, Ed25519PublicKey)}


def signature_fault(body: bytes, keys: Mapping[str, Ed25519PublicKey]) -> str:
    """Return why a manifest's signature is none of these keys', or an empty string; unsigned ones have none to fit."""
    from cryptography.exceptions import InvalidSignature

    told = json.loads(body)
    if to_json(told) != body:
        return "is not spelled as it was signed"
    stated = told.pop("signature", None)
    if not stated:
        return "is not signed"
    key = keys.get(stated["key"])
    if key is None:
        return f"is signed by a key that is not trusted ({str(stated['key'])[:16]})"
    try:
        key.verify(base64.b64decode(stated["ed25519"]), to_json(told))
    except (InvalidSignature, ValueError):
        return "is not what was signed"
    return ""


def _private(settings: Settings) -> Ed25519PrivateKey | None:
    if not settings.signing_key:
        return None
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(settings.signing_key.encode(), password=None)
    except (ValueError, TypeError) as error:  # the last: it has a password
        raise WrongUsage(f"OPEDS_SIGNING_KEY is no private key in PEM without a password: {HOW}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise WrongUsage(f"OPEDS_SIGNING_KEY is a key of another kind: {HOW}")
    return key


def _name(key: Ed25519PublicKey) -> str:
    """Return the name of a key: 16 digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]
