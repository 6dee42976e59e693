"""JSON Schemas: read, and written for whom they go to (docs/wire/json-schema.md)."""
