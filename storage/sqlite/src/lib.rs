//! The embedded SQLite backend of Gatelodge
