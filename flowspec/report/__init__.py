"""Values -> text for people and JSON for programs. Everything here returns strings; only the cli prints."""
