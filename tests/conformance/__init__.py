"""`make conformance`: mails and cases of others against what Ombud makes of them (docs/conformance.md)."""
