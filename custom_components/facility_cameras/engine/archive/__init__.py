"""The archive: where footage lies, its index, its volumes, and what deletes from it."""
