"""What was seen and heard: small frames and sound in, a `Fingerprint` out. Pure: arrays in, arrays out."""

from inspector.fingerprint.fingerprinter import PARTS, Fingerprinter

__all__ = ["PARTS", "Fingerprinter"]
