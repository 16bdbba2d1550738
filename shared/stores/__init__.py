"""The collections by name, written once over the documents port."""
