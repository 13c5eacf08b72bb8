"""How fast the package is, beside its peers; see docs/performance.md."""
