"""Terraform checked without its registry: real provider schemas, a checker, and a provider that only pretends."""
