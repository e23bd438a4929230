"""What was seen and heard: small frames and sound in, a `Fingerprint` out. Pure: arrays in, arrays out."""

from inspector.fingerprint.fingerprinter import Fingerprinter

__all__ = ["Fingerprinter"]
